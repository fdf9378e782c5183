// What only LevelDB does: tables whose checksums avfs verifies itself, one process for each folder,
// folders of other programs.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { block } from '../../src/store/collections.ts'
import { crc32c } from '../../src/store/leveldb/crc32c.ts'
import { unsnappy } from '../../src/store/leveldb/snappy.ts'
import { verifyTable } from '../../src/store/leveldb/table.ts'
import { openStore } from '../../src/store/open.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { changes } from './rows.ts'

const seed = seedOf('AVFS_SEED')
t.comment(`AVFS_SEED=${seed}`)
const random = randomFrom(seed)

/** A vault with some tables, closed; returns their paths. */
async function filled(t: Test, path: string): Promise<string[]> {
  const store = await openStore(path, { create: true, backend: 'leveldb' })
  for (let at = 0; at < 8; at++) {
    const rows = Array.from({ length: 16 }, () => ({
      ...{ hash: random.bytes(32).toString('latin1'), size: 65_536, codec: 0 },
      ...{ data: random.bytes(65_536) },
    }))
    await store.commit([changes(block, rows)])
  }
  await store.compact()
  t.same(await store.verify(), [])
  await store.close()
  return tablesOf(path)
}

function tablesOf(path: string): string[] {
  return readdirSync(path)
    .filter((name) => name.endsWith('.ldb'))
    .map((name) => join(path, name))
}

t.test(
  'verify finds a damaged byte anywhere in a table, and a table that is cut short',
  async (t) => {
    const tables = await filled(t, join(t.testdir(), 'v.leveldb'))
    t.ok(tables.length > 1)
    for (let round = 0; round < 60; round++) {
      const table = random.pick(tables)
      const sound = readFileSync(table)
      const damaged = Buffer.from(sound)
      // The padding of the footer and the handle of the meta index say nothing.
      // The filter and the indexes are the last few thousand bytes before it.
      const at =
        round < 20
          ? random.below(sound.length - 100)
          : round < 50
            ? sound.length - 100 - random.below(6000)
            : sound.length - 1 - random.below(8)
      damaged[at] = (damaged[at] as number) ^ (1 + random.below(255))
      writeFileSync(table, damaged)
      t.equal((await verifyTable(table)).length, 1, `byte ${at} of ${sound.length}`)
      writeFileSync(table, sound.subarray(0, random.below(sound.length)))
      t.not((await verifyTable(table)).length, 0, 'cut short')
      writeFileSync(table, sound)
      t.same(await verifyTable(table), [])
    }
    t.same(await verifyTable(join(t.testdirName, 'gone.ldb')), [], 'one that was compacted away')
  },
)

t.test('a folder has one process at a time, and others say so', async (t) => {
  const path = join(t.testdir(), 'v.leveldb')
  const store = await openStore(path, { create: true, backend: 'leveldb' })
  await t.rejects(openStore(path), { name: 'StoreError', kind: 'busy' })
  await store.close()
  await (await openStore(path)).close()
})

t.test('a folder with files of somebody else is refused and left alone', async (t) => {
  const path = join(t.testdir(), 'mine.leveldb')
  mkdirSync(path)
  writeFileSync(join(path, 'thesis.txt'), 'years of work')
  await t.rejects(openStore(path, { create: true, backend: 'leveldb' }), {
    name: 'StoreError',
    kind: 'io',
    message: /holds thesis.txt/,
  })
  t.same(readdirSync(path), ['thesis.txt'])
  await t.rejects(openStore(join(path, 'none.leveldb')), { name: 'StoreError', kind: 'io' })
  t.same(readdirSync(path), ['thesis.txt'], 'nor is one made where a vault was looked for')
})

t.test('a vault that is open for reading takes no commit', async (t) => {
  const path = join(t.testdir(), 'v.leveldb')
  await (await openStore(path, { create: true, backend: 'leveldb' })).close()
  const store = await openStore(path, { readOnly: true })
  await t.rejects(store.commit([changes(block, [])]), { name: 'StoreError', kind: 'locked' })
  await t.rejects(store.compact(), { name: 'StoreError', kind: 'locked' })
  await store.close()
})

t.test('crc32c gives the check value of its catalogue', (t) => {
  t.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
  t.equal(crc32c(new Uint8Array()), 0)
  t.end()
})

t.test('unsnappy reads literals and copies of every kind, and refuses what is damaged', (t) => {
  const plain = Buffer.from('abcdabcdabcdabcd')
  // 16 bytes: a literal of 4, then a copy of 12 from 4 back in one byte of offset, over bytes that
  // it has just written.
  const packed = Buffer.from([
    16,
    0x0c,
    ...Buffer.from('abcd'),
    0x01 | ((11 - 4) << 2),
    4,
    0x02,
    4,
    0,
  ])
  t.same(unsnappy(packed), plain)
  const far = Buffer.from([8, 0x0c, ...Buffer.from('wxyz'), 0x03 | (3 << 2), 4, 0, 0, 0])
  t.same(unsnappy(far), Buffer.from('wxyzwxyz'))
  const long = Buffer.from([100, 60 << 2, 99, ...new Uint8Array(100).fill(7)])
  t.same(unsnappy(long), Buffer.alloc(100, 7))
  for (let round = 0; round < 5000; round++) {
    const wrong = Buffer.from(random.pick([packed, far, long]))
    for (let change = 0; change < 3; change++) wrong[random.below(wrong.length)] = random.below(256)
    try {
      unsnappy(wrong.subarray(0, random.below(wrong.length + 1)))
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
    }
  }
  t.end()
})
