// Commits under a limit on the length of files: one that fits, one that does not, one behind it,
// and one tried later. Prints the outcome of each and what a reader sees.

import { extent, setting } from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import { StoreError } from '../../src/store/store.ts'
import { changes, putBatch } from './rows.ts'

const store = await openStore(process.argv[2] as string)
const data = new Uint8Array(65_536).fill(1)
const rows = Array.from({ length: 200 }, (_, offset) => ({
  ...{ ino: 1, offset, length: 65_536, hash: '', blockOffset: 0, crc: 0, data, since: 1 },
}))

async function outcome(commit: Promise<void>): Promise<string> {
  try {
    await commit
    return 'done'
  } catch (error) {
    return error instanceof StoreError ? error.kind : String(error)
  }
}

const outcomes = await Promise.all([
  outcome(store.commit(putBatch(setting, { name: 'a', value: 'first' }))),
  outcome(
    store.commit([changes(setting, [{ name: 'a', value: 'second' }]), changes(extent, rows)]),
  ),
  outcome(store.commit(putBatch(setting, { name: 'a', value: 'third' }))),
])
outcomes.push(await outcome(store.commit(putBatch(setting, { name: 'later', value: 'small' }))))
const extents = store.scan(extent, { limit: 10 }).length
const settings = store.scan(setting, { limit: 10 })
await store.close()
process.stdout.write(JSON.stringify({ outcomes, extents, settings }))
