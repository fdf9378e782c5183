// The intent log on every engine: what fsync(2) acknowledged is in what a crash leaves, in order
// and with no row of a later batch, whether the engine had it or not; what is torn ends the log, and
// what is damaged before its end is refused, reported and repaired.

import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { collections, setting, tag } from '../../src/store/collections.ts'
import { BLOCK_BYTES } from '../../src/store/intent-log/record.ts'
import { packBatch } from '../../src/store/kv/pack.ts'
import { unpackBatch } from '../../src/store/kv/unpack.ts'
import { Writer } from '../../src/store/kv/writer.ts'
import { openStore } from '../../src/store/open.ts'
import type { Batch, Store } from '../../src/store/store.ts'
import { testedBackends } from '../support/engines.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { scanned } from './answers.ts'
import { LoggedVault } from './logged-vault.ts'
import { type AnyRow, keyOfRow, randomRow } from './rows.ts'

const seed = seedOf('AVFS_SEED')
t.comment(`AVFS_SEED=${seed}`)
const random = randomFrom(seed)

async function namesIn(store: Store): Promise<string[]> {
  return (await scanned(store, tag, { limit: 1000 })).map(({ name }) => name)
}

async function openedNames(path: string, readOnly: boolean): Promise<string[]> {
  const store = await openStore(path, { readOnly })
  const names = await namesIn(store)
  await store.close()
  return names
}

/** Changes a byte of the record `index`, of those of one block each. */
function damage(path: string, index: number): void {
  const bytes = readFileSync(`${path}-log`)
  const at = index * BLOCK_BYTES + 40
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  writeFileSync(`${path}-log`, bytes)
}

t.test('rows of every collection are read as they were packed', async (t) => {
  for (const collection of collections) {
    const puts = Array.from({ length: 20 }, () => randomRow(collection, random))
    const deletes = puts.splice(10).map((row) => keyOfRow(collection, row))
    const batch: Batch = [{ collection, puts, deletes }]
    const writer = new Writer()
    packBatch(writer, batch, Number.POSITIVE_INFINITY)
    const found = [...unpackBatch(Buffer.from(writer.written()))]
    t.ok(found.every((change) => change.collection === collection))
    const rows = found.flatMap(({ row }) => (row === undefined ? [] : [plain(row as AnyRow)]))
    t.strictSame(rows, (puts as AnyRow[]).map(plain), collection.name)
    const keys = found.flatMap(({ row, key }) => (row === undefined ? [key] : []))
    t.strictSame(keys, deletes)
    for (const cut of [1, 5, 12])
      t.throws(() => [...unpackBatch(writer.written().subarray(0, writer.length - cut))], {
        message: /damaged/,
      })
  }
})

function plain(row: AnyRow): AnyRow {
  return Object.fromEntries(
    Object.entries(row).map(([field, value]) => [
      field,
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
    ]),
  )
}

for (const { name, suffix } of testedBackends) {
  t.test(`${name}: what was acknowledged is there after a crash`, async (t) => {
    const path = join(t.testdir(), `vault${suffix}`)
    const vault = await LoggedVault.open(path)
    const expected = ['first']
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 3; i++) {
        vault.put(`r${round}.${i}`)
        expected.push(`r${round}.${i}`)
        await vault.commits.durable()
      }
      const left = vault.crash(join(t.testdirName, `crash${round}`))
      t.same(await openedNames(left, round % 2 === 1), expected)
      t.same(await openedNames(left, false), expected)
      t.notOk(existsSync(`${left}-log`), 'the log is gone once the engine has all of it')
      if (round % 2 === 0) continue
      vault.put(`c${round}`)
      expected.splice(
        expected.findIndex((other) => other > `c${round}`),
        0,
        `c${round}`,
      )
      await vault.commits.commit()
    }
    t.ok(vault.log.records >= 18, `${vault.log.records} records`)
    await vault.close()
    t.notOk(existsSync(`${path}-log`))
    t.same(await openedNames(path, true), expected)
  })

  t.test(`${name}: a log that is full and filled again loses nothing`, async (t) => {
    const path = join(t.testdir(), `vault${suffix}`)
    const vault = await LoggedVault.open(path)
    const value = 'x'.repeat(100_000)
    for (let i = 1; i <= 120; i++) {
      vault.overlay.put(setting, { name: 'large', value: `${i} ${value}` })
      if (i % 3 === 0) vault.put(`t${i}`)
      await vault.commits.durable()
      if (i % 40 !== 0) continue
      const store = await openStore(vault.crash(join(t.testdirName, `crash${i}`)))
      t.equal(store.get(setting, ['large'])?.value, `${i} ${value}`)
      t.equal((await namesIn(store)).length, 1 + Math.floor(i / 3))
      await store.close()
    }
    t.ok(vault.log.records > 100, `${vault.log.records} records`)
    await vault.close()
  })

  t.test(`${name}: callers at once are all durable, on a slow disk, too`, async (t) => {
    const path = join(t.testdir(), `vault${suffix}`)
    const vault = await LoggedVault.open(path)
    for (const slow of [false, true]) {
      if (slow) vault.log.assumeSlow()
      const done = new Set<string>()
      const all = Array.from({ length: 40 }, async (_, i) => {
        await sleep(random.below(20))
        const own = `${slow} ${i}`
        vault.put(own)
        await vault.commits.durable()
        done.add(own)
        if (i % 10 === 0) await vault.commits.commit()
      })
      await sleep(10)
      const before = [...done]
      const left = vault.crash(join(t.testdirName, `crash${slow}`))
      const found = new Set(await openedNames(left, false))
      t.same(
        before.filter((own) => !found.has(own)),
        [],
        `${before.length} acknowledged`,
      )
      await Promise.all(all)
    }
    await vault.close()
    t.equal((await openedNames(path, true)).length, 81)
  })

  t.test(`${name}: a log that is torn ends there; one that is damaged is refused`, async (t) => {
    const path = join(t.testdir(), `vault${suffix}`)
    const vault = await LoggedVault.open(path)
    for (const own of ['a', 'b', 'c']) {
      vault.put(own)
      await vault.commits.durable()
    }
    const torn = vault.crash(join(t.testdirName, 'torn'))
    damage(torn, 2)
    t.same(await openedNames(torn, true), ['a', 'b', 'first'], 'the last one was torn')
    const damaged = vault.crash(join(t.testdirName, 'damaged'))
    damage(damaged, 1)
    await t.rejects(openStore(damaged), { name: 'StoreError', message: /damaged.*record 3/ })
    const reader = await openStore(damaged, { readOnly: true })
    t.match(await reader.verify(), [/record 3 is not whole/])
    t.same(await namesIn(reader), ['a', 'first'], 'what is before the damage')
    await reader.close()
    await t.rejects(openStore(damaged), { message: /record 3/ }, 'until it is repaired')
    const salvaged = await openStore(damaged, { salvage: true })
    t.same(await namesIn(salvaged), ['a', 'first'])
    await salvaged.close()
    t.ok(existsSync(`${damaged}-log.damaged`))
    t.same(await openedNames(damaged, false), ['a', 'first'])
    await vault.close()
  })

  t.test(`${name}: a log of another state is set aside`, async (t) => {
    const path = join(t.testdir(), `vault${suffix}`)
    let vault = await LoggedVault.open(path)
    vault.put('old')
    await vault.commits.durable()
    const left = vault.crash(join(t.testdirName, 'crash'))
    await vault.close()
    vault = await LoggedVault.open(path)
    vault.put('new')
    await vault.commits.durable()
    await vault.close()
    cpSync(`${left}-log`, `${path}-log`)
    t.same(await openedNames(path, true), ['first', 'new', 'old'])
    t.same(await openedNames(path, false), ['first', 'new', 'old'])
    t.ok(existsSync(`${path}-log.damaged`))
  })

  // The others refuse a second process.
  if (name === 'sqlite' || name === 'lmdb')
    t.test(`${name}: the log of a vault that is open is left alone`, async (t) => {
      const path = join(t.testdir(), `vault${suffix}`)
      const vault = await LoggedVault.open(path)
      vault.put('recorded')
      await vault.commits.durable()
      t.same(await openedNames(path, true), ['first'], 'readers see what the engine has')
      t.ok(existsSync(`${path}-log`))
      await vault.close()
      t.same(await openedNames(path, true), ['first', 'recorded'])
    })
}

t.test('a log that was removed is no longer trusted', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  const vault = await LoggedVault.open(path)
  rmSync(`${path}-log`)
  vault.put('a')
  await vault.commits.durable()
  t.notOk(vault.log.isReady)
  t.same(await openedNames(vault.crash(join(t.testdirName, 'crash')), false), ['a', 'first'])
  await vault.close()
})
