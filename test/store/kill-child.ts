// Commits one batch after the other until it is killed: number i has some rows of its own, a blob,
// and a note of i. Prints i when the commit has resolved.

import { writeSync } from 'node:fs'
import { extent, setting, version } from '../../src/store/collections.ts'
import { openEngine } from '../../src/store/open.ts'
import { changes } from './rows.ts'

const store = await openEngine(process.argv[2] as string)
const count = Number(process.argv[3])
const compacts = process.argv[4] === 'true'
const data = new Uint8Array(50_000)

function commit(i: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, number) => ({
    ...{
      ino: i,
      number,
      moment: i,
      size: i,
      mtime: 0,
      mtimeNs: 0,
      mode: 0,
      uid: 0,
      gid: 0,
      actor: 0,
    },
  }))
  data.fill(i)
  return store
    .commit([
      changes(version, rows),
      changes(extent, [
        { ino: i, offset: 0, length: 50_000, hash: '', blockOffset: 0, crc: 0, data, since: 1 },
      ]),
      changes(setting, [{ name: 'last', value: `${i}` }]),
    ])
    .then(() => void writeSync(1, `${i}\n`))
}

// Commits go on while it runs, or wait for it.
async function compactForEver(): Promise<void> {
  for (;;) await store.compact()
}
if (compacts) compactForEver()

// Two at a time, so that a kill also meets one commit waiting behind another.
let before: Promise<void> = Promise.resolve()
for (let i = Number(store.get(setting, ['last'])?.value ?? 0) + 1; ; i++) {
  const running = commit(i)
  await before
  before = running
}
