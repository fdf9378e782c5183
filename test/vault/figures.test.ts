// The figures of a vault equal those counted from all its rows at once, however many walks gather
// them, and gathering ends when nobody wants them any more. AVFS_SEED repeats a run.

import { join } from 'node:path'
import t from 'tap'
import { setLog } from '../../src/base/log.ts'
import {
  block,
  type Collection,
  entryPast,
  extent,
  extentPast,
  inodePast,
  inode as inodes,
  version,
} from '../../src/store/collections.ts'
import type { Store } from '../../src/store/store.ts'
import { slicesOf } from '../../src/vault/core/time-slices.ts'
import { type Figures, gatherFigures } from '../../src/vault/figures.ts'
import { openVault } from '../../src/vault/vault.ts'
import { changes } from '../store/rows.ts'
import { seedOf } from '../support/random.ts'
import { makeRichVault } from './rich-vault.ts'

setLog('error')
const seed = seedOf('AVFS_SEED')
const LIMIT = 1_000_000

function all<R extends object>(store: Store, collection: Collection<R>): R[] {
  return store.scan(collection, { limit: LIMIT })
}

function sum<R>(rows: readonly R[], of: (row: R) => number): number {
  return rows.reduce((total, row) => total + of(row), 0)
}

/** The same figures, in the plain way. */
function counted(store: Store): Omit<Figures, 'deduplication' | 'compression' | 'isEstimated'> {
  const rows = all(store, inodes)
  const ofType = (type: number) => rows.filter(({ mode }) => mode >>> 12 === type)
  const live = new Set(rows.map(({ ino }) => ino))
  const present = all(store, extent).filter(({ ino }) => live.has(ino))
  const gone = all(store, extent).filter(({ ino }) => !live.has(ino))
  const past = [...gone, ...all(store, extentPast)]
  const extents = [...present, ...past]
  const hashes = (of: readonly { hash: string }[]) => new Set(of.map(({ hash }) => hash))
  const blocks = all(store, block)
  const ofPast = blocks.filter(({ hash }) => !hashes(present).has(hash) && hashes(past).has(hash))
  const unused = blocks.filter(({ hash }) => !hashes(extents).has(hash))
  const stored = sum(blocks, ({ data }) => data?.length ?? 0)
  const plain = sum(blocks, ({ size }) => size)
  const chunks = new Set(present.map(({ ino, offset }) => `${ino} ${Math.floor(offset / 131072)}`))
  const isInline = ({ hash }: { hash: string }) => hash === ''
  const lengths = (of: readonly { length: number }[]) => sum(of, ({ length }) => length)
  return {
    files: ofType(8).length,
    directories: ofType(4).length,
    symlinks: ofType(10).length,
    // What a rename leaves behind.
    others: ofType(2).length,
    logicalBytes: sum(ofType(8), ({ size }) => size),
    versions: all(store, version).length,
    extents: extents.length,
    referencedBytes: lengths(extents),
    inlineBytes: lengths(extents.filter(isInline)),
    extentsPerChunk: Math.round((present.length / chunks.size) * 1000) / 1000,
    blocks: blocks.length,
    blockBytes: plain,
    storedBytes: stored,
    history: {
      states: all(store, inodePast).length,
      names: all(store, entryPast).length,
      blocks: ofPast.length,
      bytes: Math.round((sum(ofPast, ({ size }) => size) * stored) / plain),
      inlineBytes: lengths(past.filter(isInline)),
    },
    unusedBlocks: unused.length,
    unusedBytes: sum(unused, ({ size }) => size),
  }
}

t.test('figures are what the rows add up to, in one walk or many', async (t) => {
  t.comment(`AVFS_SEED=${seed}`)
  const path = join(t.testdir(), 'one.avfs')
  await makeRichVault(path, 'sqlite', seed, 500)
  const vault = await openVault(path)
  const { store } = vault.core.overlay
  const slices = slicesOf(vault.core)
  const wanted = counted(store)
  t.ok(wanted.history.blocks > 0 && wanted.blocks > 20 && wanted.extentsPerChunk > 1)
  const found = await gatherFigures(vault.core, slices)
  t.match(found, wanted)
  t.equal(found.isEstimated, false)
  t.same(await gatherFigures(vault.core, slices, undefined, 7), found)
  // A block that nobody uses.
  const hash = '\x07'.repeat(32)
  const unused = { hash, size: 5, codec: 0, data: Buffer.from('12345') }
  await store.commit([changes(block, [unused])])
  t.match(await gatherFigures(vault.core, slices), counted(store))
  await vault.close()
})

t.test('gathering ends when nobody wants the figures any more', async (t) => {
  const path = join(t.testdir(), 'one.avfs')
  await makeRichVault(path, 'sqlite', seed, 300)
  const vault = await openVault(path)
  const { store } = vault.core.overlay
  const [like] = store.scan(version, { limit: 1 })
  if (like === undefined) throw new Error('there is no version')
  const many = Array.from({ length: 5000 }, (_, at) => ({ ...like, ino: 1_000_000 + at }))
  await store.commit([changes(version, many)])
  let looks = 0
  const slices = slicesOf(vault.core, () => ++looks > 2)
  const work = gatherFigures(vault.core, slices)
  await t.rejects(work, { kind: 'closed' } as never)
  await vault.close()
})
