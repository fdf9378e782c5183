// Figures of what a vault holds: sizes, savings by sharing and compression, the cost of history.
// Walks all rows in slices alongside requests, reads no content except a sample of blocks, and uses
// 20 bytes of memory a block, for a limited number of blocks at a time.

import { Counters } from '../base/counters.ts'
import { CHUNK_BYTES } from '../base/limits.ts'
import { isDirectory, isRegular, isSymlink } from '../base/mode.ts'
import {
  block,
  type Collection,
  entryPast,
  extent,
  extentPast,
  inodePast,
  inode as inodes,
  version,
} from '../store/collections.ts'
import { retryUntilLoaded } from '../store/retry.ts'
import type { Core } from './core/core.ts'
import { walkRows } from './core/rows.ts'
import type { Slices } from './core/time-slices.ts'

/** Blocks classified in one walk over all extents. */
const BLOCKS_A_WALK = 2_000_000
/** Blocks that are read to estimate how well all of them are compressed. */
const SAMPLE_BLOCKS = 512

export interface Figures {
  /** Inodes by type; `logicalBytes` is the sum of file sizes, each file once whatever its links. */
  readonly files: number
  readonly directories: number
  readonly symlinks: number
  readonly others: number
  readonly logicalBytes: number
  readonly versions: number
  /** Present and past rows that cover content, and the bytes they cover. */
  readonly extents: number
  readonly referencedBytes: number
  readonly inlineBytes: number
  /** Extents of present files per mapped chunk (128 KiB); 1 means not fragmented. */
  readonly extentsPerChunk: number
  readonly blocks: number
  /** Plain and compressed bytes of all blocks; extrapolated from a sample when `isEstimated`. */
  readonly blockBytes: number
  readonly storedBytes: number
  readonly isEstimated: boolean
  /** `referencedBytes` per byte kept, and plain bytes per byte stored. */
  readonly deduplication: number
  readonly compression: number
  readonly history: HistoryFigures
  readonly unusedBlocks: number
  readonly unusedBytes: number
}

/** What prune could free at most; excludes blocks that the present uses, too. Bytes as stored. */
interface HistoryFigures {
  readonly states: number
  readonly names: number
  readonly blocks: number
  readonly bytes: number
  readonly inlineBytes: number
}

/**
 * Gathers the figures of what is durable. Calls `onProgress` with the number of rows so far;
 * rejects with StoreError when `slices` ends the work.
 */
export async function gatherFigures(
  core: Core,
  slices: Slices,
  onProgress: (rows: number) => void = () => undefined,
  blocksAWalk = BLOCKS_A_WALK,
): Promise<Figures> {
  const walk = new Walk(core, slices, onProgress)
  const blocks = { count: 0, bytes: 0 }
  for await (const { size } of walk.rows(block, ['hash', 'size'])) {
    blocks.count++
    blocks.bytes += size
  }
  const sums = newSums()
  const walks = Math.max(1, Math.ceil(blocks.count / blocksAWalk))
  for (let part = 0; part < walks; part++) await classify(walk, sums, blocks.count, part, walks)
  const states = await walk.count(inodePast, ['ino', 'since'])
  const names = await walk.count(entryPast, ['parent', 'name', 'since'])
  const versions = await walk.count(version, ['ino', 'number'])
  const packed = sums.samplePlain === 0 ? 1 : sums.sampleStored / sums.samplePlain
  const stored = (bytes: number): number => Math.round(bytes * packed)
  const kept = blocks.bytes - sums.unusedBytes + sums.inlineBytes
  return {
    files: sums.files,
    directories: sums.directories,
    symlinks: sums.symlinks,
    others: sums.others,
    logicalBytes: sums.logicalBytes,
    versions,
    extents: sums.extents,
    referencedBytes: sums.referencedBytes,
    inlineBytes: sums.inlineBytes,
    extentsPerChunk: ratio(sums.presentExtents, sums.chunks),
    blocks: blocks.count,
    blockBytes: blocks.bytes,
    storedBytes: stored(blocks.bytes),
    isEstimated: sums.sampled < blocks.count,
    deduplication: ratio(sums.referencedBytes, kept),
    compression: ratio(blocks.bytes, stored(blocks.bytes)),
    history: {
      states,
      names,
      blocks: sums.pastBlocks,
      bytes: stored(sums.pastBytes),
      inlineBytes: sums.pastInlineBytes,
    },
    unusedBlocks: sums.unusedBlocks,
    unusedBytes: sums.unusedBytes,
  }
}

function ratio(of: number, to: number): number {
  return to === 0 ? 1 : Math.round((of / to) * 1000) / 1000
}

function newSums() {
  return {
    ...{ files: 0, directories: 0, symlinks: 0, others: 0, logicalBytes: 0 },
    ...{ extents: 0, presentExtents: 0, chunks: 0, referencedBytes: 0 },
    ...{ inlineBytes: 0, pastInlineBytes: 0 },
    ...{ pastBlocks: 0, pastBytes: 0, unusedBlocks: 0, unusedBytes: 0 },
    ...{ sampled: 0, samplePlain: 0, sampleStored: 0 },
  }
}

type Sums = ReturnType<typeof newSums>

class Walk {
  readonly core: Core
  readonly #slices: Slices
  readonly #onProgress: (rows: number) => void
  #rows = 0

  constructor(core: Core, slices: Slices, onProgress: (rows: number) => void) {
    this.core = core
    this.#slices = slices
    this.#onProgress = onProgress
  }

  async *rows<R extends object, F extends keyof R & string>(
    collection: Collection<R>,
    fields: readonly F[],
  ): AsyncGenerator<Pick<R, F>> {
    const { store } = this.core.overlay
    for await (const row of walkRows(store, collection, fields, {}, this.#slices)) {
      if (++this.#rows % 1000 === 0) this.#onProgress(this.#rows)
      yield row
    }
  }

  async count<R extends object>(
    collection: Collection<R>,
    fields: readonly (keyof R & string)[],
  ): Promise<number> {
    let rows = 0
    for await (const _ of this.rows(collection, fields)) rows++
    return rows
  }
}

/**
 * Classifies the blocks of one part of all hashes by use; the first part counts everything else,
 * too.
 */
async function classify(
  walk: Walk,
  sums: Sums,
  blocks: number,
  part: number,
  parts: number,
): Promise<void> {
  const present = new Counters()
  const past = new Counters()
  const isMine = (key: number): boolean => parts === 1 || key % parts === part
  const use = (users: Counters, hash: string): void => {
    const key = keyOf(hash)
    if (isMine(key) && !users.has(key)) users.add(key, 1)
  }
  const count = part === 0 ? sums : newSums()
  for await (const row of presentExtents(walk, count)) {
    count.extents++
    count.referencedBytes += row.length
    if (row.hash !== '') use(row.isLive ? present : past, row.hash)
    else {
      count.inlineBytes += row.length
      // A deleted file keeps its rows in `extent`.
      if (!row.isLive) count.pastInlineBytes += row.length
    }
  }
  const fields = ['ino', 'offset', 'since', 'length', 'hash'] as const
  for await (const { hash, length } of walk.rows(extentPast, fields)) {
    count.extents++
    count.referencedBytes += length
    if (hash !== '') use(past, hash)
    else {
      count.inlineBytes += length
      count.pastInlineBytes += length
    }
  }
  const stride = Math.max(1, Math.ceil(blocks / SAMPLE_BLOCKS))
  for await (const { hash, size } of walk.rows(block, ['hash', 'size'])) {
    const key = keyOf(hash)
    if (!isMine(key)) continue
    if (!present.has(key)) {
      const isPast = past.has(key)
      sums.pastBlocks += isPast ? 1 : 0
      sums.pastBytes += isPast ? size : 0
      sums.unusedBlocks += isPast ? 0 : 1
      sums.unusedBytes += isPast ? 0 : size
    }
    if (Math.floor(key / parts) % stride === 0) await sample(walk.core, sums, hash)
  }
}

/** Hashes are uniformly distributed, so those divisible by a number are a fair sample. */
async function sample(core: Core, sums: Sums, hash: string): Promise<void> {
  const row = await retryUntilLoaded(() => core.overlay.store.get(block, [hash]))
  if (row === undefined) return
  sums.sampled++
  sums.samplePlain += row.size
  sums.sampleStored += row.data?.length ?? 0
}

/** A hash as a number from 1 on; collisions are too rare to affect the figures. */
function keyOf(hash: string): number {
  let key = 0
  for (let at = 0; at < 6; at++) key = key * 256 + hash.charCodeAt(at)
  return key + 1
}

/** The rows of `extent`, with whether their inode exists; counts inodes and chunks on the way. */
async function* presentExtents(
  walk: Walk,
  count: Sums,
): AsyncGenerator<{ length: number; hash: string; isLive: boolean }> {
  const live = walk.rows(inodes, ['ino', 'mode', 'size'])
  let inode = await nextInode(live, count)
  let chunk = -1
  let last = 0
  for await (const row of walk.rows(extent, ['ino', 'offset', 'length', 'hash'])) {
    while (inode < row.ino) inode = await nextInode(live, count)
    const isLive = inode === row.ino
    if (isLive) {
      const its = Math.floor(row.offset / CHUNK_BYTES)
      if (row.ino !== last || its !== chunk) count.chunks++
      count.presentExtents++
      last = row.ino
      chunk = its
    }
    yield { length: row.length, hash: row.hash, isLive }
  }
  while (inode !== Number.POSITIVE_INFINITY) inode = await nextInode(live, count)
}

async function nextInode(
  live: AsyncGenerator<{ ino: number; mode: number; size: number }>,
  count: Sums,
): Promise<number> {
  const { value, done } = await live.next()
  if (done === true) return Number.POSITIVE_INFINITY
  const { ino, mode, size } = value
  if (isRegular(mode)) {
    count.files++
    count.logicalBytes += size
  } else if (isDirectory(mode)) count.directories++
  else if (isSymlink(mode)) count.symlinks++
  else count.others++
  return ino
}
