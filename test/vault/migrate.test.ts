// Copying stores and proving the copy: digests tell any two contents apart and nothing else,
// everything is copied, and a damaged store is read around its damage. AVFS_SEED repeats a run.

import { join } from 'node:path'
import t from 'tap'
import {
  type BlockRow,
  block,
  type Collection,
  collections,
  type ExtentRow,
  extent,
  inode as inodes,
  setting,
  xattr,
} from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import { Fault, type Store, StoreError } from '../../src/store/store.ts'
import { checkStore } from '../../src/vault/check/check.ts'
import type { Damage } from '../../src/vault/check/read-all.ts'
import { copyStore, differences, surveyStore } from '../../src/vault/transfer/copy-rows.ts'
import { RowDigest } from '../../src/vault/transfer/row-digest.ts'
import { changes, keyOfRow, randomRow } from '../store/rows.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { damagedStore } from './damaged-store.ts'
import { makeRichVault } from './rich-vault.ts'

const seed = seedOf('AVFS_SEED')
const silent = { damaged: () => undefined }

async function richStore(path: string): Promise<Store> {
  await makeRichVault(path, 'sqlite', seed, 300)
  return openStore(path)
}

function digestOf(collection: Collection<object>, rows: readonly object[]): string {
  const digest = new RowDigest(collection)
  for (const row of rows) digest.add(row)
  return digest.digest
}

t.test('a digest does not depend on order, and any change of any field changes it', async (t) => {
  t.comment(`AVFS_SEED=${seed}`)
  const random = randomFrom(seed)
  for (const collection of collections) {
    const rows = Array.from({ length: 20 }, () => randomRow(collection, random))
    const digest = digestOf(collection, rows)
    t.equal(digestOf(collection, rows.toReversed()), digest)
    for (const [index, field] of (collection.fields as readonly string[]).entries()) {
      // Of a block the hash says what the bytes are, however they are packed.
      if (collection.name === 'block' && index > 1) continue
      const row = rows[7] as Record<string, unknown>
      const value = row[field]
      const other =
        typeof value === 'number'
          ? value === 0
            ? 1
            : value - Math.sign(value)
          : typeof value === 'string'
            ? `${value}x`
            : Buffer.concat([(value as Buffer | null) ?? Buffer.alloc(0), Buffer.from('x')])
      const changed = rows.with(7, { ...row, [field]: other } as never)
      t.not(digestOf(collection, changed), digest, `${collection.name}.${field}`)
    }
    t.not(digestOf(collection, rows.slice(1)), digest)
    t.not(digestOf(collection, [...rows, rows[0] as object]), digest)
  }
})

t.test('null and no bytes, and parts of neighbouring fields, are told apart', async (t) => {
  const row = { ino: 1, name: 'ab', value: null, since: 1 }
  const any = xattr as unknown as Collection<object>
  t.not(digestOf(any, [row]), digestOf(any, [{ ...row, value: new Uint8Array() }]))
  const settings = setting as unknown as Collection<object>
  t.not(
    digestOf(settings, [{ name: 'ab', value: 'c' }]),
    digestOf(settings, [{ name: 'a', value: 'bc' }]),
  )
  t.throws(() => digestOf(any, [{ ...row, ino: -1 }]), StoreError)
  t.throws(() => digestOf(any, [{ ...row, name: null }]), StoreError)
})

t.test('everything is copied to an engine and back, and a lost row is noticed', async (t) => {
  const folder = t.testdir()
  const from = await richStore(join(folder, 'a.avfs'))
  const wanted = await surveyStore(from, silent)
  for (const name of ['inode_past', 'entry_past', 'extent_past', 'snapshot', 'tagging', 'hold'])
    t.ok((wanted.find((its) => its.name === name)?.rows ?? 0) > 0, `the vault has rows of ${name}`)
  const memory = await openStore('', { backend: 'memory' })
  t.same(await copyStore(from, memory, silent), wanted)
  t.same(differences(wanted, await surveyStore(memory, silent)), [])
  const back = await openStore(join(folder, 'b.avfs'), { create: true })
  await copyStore(memory, back, silent)
  t.same(differences(wanted, await surveyStore(back, silent)), [])
  t.same((await checkStore(back, { deep: true })).problems, [])
  const [lost] = back.scan(inodes, { gte: [2], limit: 1 })
  if (lost === undefined) throw new Error('there is no inode')
  await back.commit([changes(inodes, [], [[lost.ino]])])
  t.match(differences(wanted, await surveyStore(back, silent)), [/^inode: \d+ rows/])
  await back.commit([changes(inodes, [{ ...lost, mode: lost.mode ^ 1 }])])
  t.match(differences(wanted, await surveyStore(back, silent)), [/^inode: \d+ rows/])
  await back.close()
  await from.close()
})

t.test('reads that must wait are waited for', async (t) => {
  const from = await richStore(join(t.testdir(), 'a.avfs'))
  const wanted = await surveyStore(from, silent)
  let faults = 0
  let loaded = false
  const slow = Object.assign(Object.create(from) as Store, {
    traits: from.traits,
    scan: ((collection, range) => {
      if (!loaded)
        throw new Fault(async () => {
          faults++
          loaded = true
        })
      loaded = false
      return from.scan(collection, range)
    }) as Store['scan'],
  })
  t.same(await surveyStore(slow, silent), wanted)
  t.ok(faults >= collections.length)
  await from.close()
})

for (const keys of [false, true])
  t.test(
    `rows around damage are read when ${keys ? 'its stretch cannot be walked' : 'its keys can be read'}`,
    async (t) => {
      const inner = await openStore('', { backend: 'memory' })
      const count = 3000
      const rows = Array.from({ length: count }, (_, number) => ({
        ...{ ino: 1 + number, name: '\xff', value: Buffer.from(`${number}`), since: 1 },
      }))
      await inner.commit([changes(xattr, rows)])
      for (const bad of [[0], [count - 1], [700], [255, 256, 257], [12, 2700]]) {
        const isBad = (name: string, row: object): boolean =>
          name === 'xattr' && bad.includes((row as { ino: number }).ino - 1)
        const found: Damage[] = []
        const store = damagedStore(inner, isBad, keys)
        const to = await openStore('', { backend: 'memory' })
        await copyStore(store, to, { damaged: (damage) => found.push(damage) })
        const copied = to.scan(xattr, { limit: count }).map(({ ino }) => ino - 1)
        // Between two stretches that cannot be walked nothing can be found.
        const hidden = (at: number): boolean =>
          keys && at >= (bad[0] ?? 0) && at <= (bad[bad.length - 1] ?? 0)
        const wanted = rows.map((_, at) => at).filter((at) => !bad.includes(at) && !hidden(at))
        t.same(copied, wanted, `without ${bad}`)
        if (keys) t.match(found, [{ collection: 'xattr', key: undefined }])
        else
          t.same(
            found.map(({ key }) => key),
            bad.map((at) => [at + 1, '\xff']),
          )
      }
    },
  )

t.test('blocks and inline content that are not what they say are reported', async (t) => {
  const from = await richStore(join(t.testdir(), 'a.avfs'))
  const memory = await openStore('', { backend: 'memory' })
  await copyStore(from, memory, silent)
  await from.close()
  const [bad] = memory.scan(block, { limit: 1 }) as [BlockRow]
  await memory.commit([changes(block, [{ ...bad, data: Buffer.from('something else'), codec: 0 }])])
  const inline = memory.scan(extent, { limit: 1000 }).find(({ hash }) => hash === '') as ExtentRow
  await memory.commit([changes(extent, [{ ...inline, crc: (inline.crc ^ 1) >>> 0 }])])
  const found: Damage[] = []
  const to = await openStore('', { backend: 'memory' })
  await copyStore(memory, to, { damaged: (damage) => found.push(damage) })
  t.match(found, [
    { collection: 'extent', key: [inline.ino, inline.offset], message: /checksum/ },
    { collection: 'block', key: [bad.hash], message: /does not match its hash/ },
  ])
  t.equal(to.get(block, [bad.hash]), undefined, 'a damaged block stays behind')
  t.equal(
    to.get(extent, keyOfRow(extent as never, inline))?.crc,
    (inline.crc ^ 1) >>> 0,
    'inline content goes as it is, to be refused as before',
  )
})
