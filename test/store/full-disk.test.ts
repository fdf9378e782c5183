// A disk that fills up: the commit that does not fit changes nothing, what was committed can be
// read as before, and once there is room again the vault goes on.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { extent, setting } from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import { type Store, StoreError } from '../../src/store/store.ts'
import { testedBackends } from '../support/engines.ts'
import { temporaryFolder } from '../support/mount.ts'
import { attempt, run } from '../support/program.ts'
import { randomFrom } from '../support/random.ts'
import { scanned } from './answers.ts'
import { changes, putBatch } from './rows.ts'

const DISK_MB = 48
const BLOB_BYTES = 65_536
const BLOBS = 16
const ALL = 1_000_000

for (const { name, suffix } of testedBackends)
  t.test(`${name}: a full disk refuses commits and harms nothing`, async (t) => {
    const disk = join(temporaryFolder(t), 'disk')
    mkdirSync(disk)
    run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'none', disk])
    t.teardown(() => attempt('umount', ['-l', disk]))
    const path = join(disk, `vault${suffix}`)
    let store = await openStore(path, { create: true })
    const random = randomFrom(1)
    const commit = (number: number) => {
      const rows = Array.from({ length: BLOBS }, (_, offset) => ({
        ...{ ino: number, offset, length: BLOB_BYTES, hash: '', blockOffset: 0, crc: 0 },
        ...{ data: random.bytes(BLOB_BYTES), since: 1 },
      }))
      return store.commit([
        changes(extent, rows),
        changes(setting, [{ name: 'last', value: `${number}` }]),
      ])
    }

    let done = 0
    let refusal: StoreErrorLike = 'none'
    for (; done < 2 * DISK_MB && refusal === 'none'; done++)
      refusal = await outcome(commit(done + 1))
    done--
    t.equal(refusal, 'full', `commit ${done + 1} of 1 MiB each`)
    t.ok(done > DISK_MB / 8, `${done} MiB of ${DISK_MB} were taken`)
    await holds(store, done)
    // An engine may give room back in the background, so that a batch fits after all: then more
    // follow.
    let kept: string | undefined
    let both: StoreErrorLike[] = ['none']
    while (both[0] === 'none' && done < 2 * DISK_MB) {
      both = await Promise.all([outcome(commit(done + 1)), outcome(small(store, `${done}`))])
      if (both[1] === 'none') kept = `${done}`
      if (both[0] === 'none') done++
    }
    t.notOk(both.includes('none'), `nor is one behind it done: ${both}`)
    t.equal(store.get(setting, ['small'])?.value, kept)
    await holds(store, done)

    run('mount', ['-o', `remount,size=${4 * DISK_MB}m`, disk])
    t.equal(await outcome(small(store, 'yes')), 'none', 'there is room again')
    t.equal(await outcome(commit(done + 1)), 'none')
    await holds(store, done + 1)
    t.same(await store.verify(), [])
    await store.close()
    store = await openStore(path)
    await holds(store, done + 1)
    t.equal(store.get(setting, ['small'])?.value, 'yes')
    await store.close()

    async function holds(of: Store, last: number): Promise<void> {
      t.equal(of.get(setting, ['last'])?.value, `${last}`)
      t.equal((await scanned(of, extent, { limit: ALL })).length, last * BLOBS)
    }
  })

type StoreErrorLike = StoreError['kind'] | 'none'

function small(store: Store, value: string): Promise<void> {
  return store.commit(putBatch(setting, { name: 'small', value }))
}

async function outcome(commit: Promise<void>): Promise<StoreErrorLike> {
  try {
    await commit
    return 'none'
  } catch (error) {
    if (error instanceof StoreError) return error.kind
    throw error
  }
}
