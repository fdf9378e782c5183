// What a key-value engine provides to KvStore: byte strings in bytewise order of their keys, and
// atomic, durable batches. An adapter is one file that implements KvEngine; it knows nothing of
// rows, collections or the contents of keys and values.
//
// Many entries are passed as one buffer, since one object per entry costs three times as much:
//
//   entry of a range   u32 key length, u32 value length, key, value
//   change of a batch  u8 group, u8 1 put | 0 delete, u32 key length, u32 value length
//                      (0 for a delete), key, value
//
// Lengths are little-endian and not aligned.

import type { CompactOptions, StoreStats, StoreTraits } from '../store.ts'

/**
 * The group that a key belongs to: rows of the present, rows of the past, and the bytes of blocks.
 * (The other columns of a block are in ROWS, so that only a check walks over BLOCKS.) An engine may
 * store and tune each group separately, as a column family.
 */
export const ROWS = 0
export const PAST = 1
export const BLOCKS = 2
export type Group = typeof ROWS | typeof PAST | typeof BLOCKS
export const GROUP_COUNT = 3

/**
 * The maximal length of a value. Nearly all are below 256 KiB (a block, a row with its extended
 * attribute).
 */
export const VALUE_BYTES_MAX = 2 * 1024 * 1024

/**
 * Entries with gte <= key < lt (lt undefined: to the group's end), ascending, or descending if
 * `reverse`: at most `limit`, and none after the one with which the result reaches `bytes`; at
 * least one if there is one.
 */
export interface KvRange {
  readonly group: Group
  readonly gte: Uint8Array
  readonly lt: Uint8Array | undefined
  readonly reverse: boolean
  readonly limit: number
  readonly bytes: number
}

/**
 * Reads see every batch that has resolved, and no batch in part. They throw StoreError, 'corrupt'
 * if the engine reports damage.
 */
export interface KvReader {
  /** The value, or undefined. Its bytes may change with the next call: copy what you keep. */
  get(group: Group, key: Uint8Array): Uint8Array | undefined
  /**
   * Packed entries in a buffer that the caller owns, all of one state: no batch is seen in part.
   * May throw Fault (store.ts) if the engine cannot walk synchronously.
   */
  range(range: KvRange): Uint8Array
}

/** A snapshot: shows what was committed when it was made. */
export interface KvView extends KvReader {
  close(): Promise<void>
}

export interface KvEngine extends KvReader {
  readonly traits: StoreTraits
  /**
   * Applies `length` bytes of packed changes as one batch; resolves when it is durable (fsync or
   * better). The buffer is unchanged until then, so that another thread may read it. KvStore passes
   * the next batch after this one has ended, and none during a compaction unless
   * traits.compactsOnline. Rejects with StoreError and has then changed nothing.
   */
  write(changes: Uint8Array, length: number): Promise<void>
  view(): Promise<KvView>
  stats(): StoreStats
  /**
   * Returns unused space to the host; the process may be killed at any point of it. Reads proceed
   * meanwhile, batches only if traits.compactsOnline. See CompactOptions: most engines rewrite
   * everything in any case.
   */
  compact(options?: CompactOptions): Promise<void>
  /** The engine's own consistency check: findings, [] when sound. */
  verify(): Promise<string[]>
  /**
   * Called while no batch and no compaction runs. Open views become invalid. KvStore calls nothing
   * afterwards.
   */
  close(): Promise<void>
}

/**
 * How KvStore opens an engine. Rejects with StoreError: 'io' if there is nothing (or, with
 * `create`, something), 'busy' if another process holds it.
 */
export interface KvOpenOptions {
  readonly create: boolean
  readonly readOnly: boolean
  /** Memory for the engine's read caches. */
  readonly cacheBytes: number
}
