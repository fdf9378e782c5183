// What a key-value engine gives to KvStore: bytes in bytewise order of their keys, batches that are
// atomic and durable. An adapter is one file that fulfils KvEngine; it knows neither rows nor
// collections nor what is in keys and values.
//
// Many entries go from hand to hand as one buffer, since an object an entry costs three times as
// much:
//
//   entry of a range   u32 key length, u32 value length, key, value
//   change of a batch  u8 group, u8 1 put | 0 delete, u32 key length, u32 value length (0 for
//   delete), key, value
//
// Lengths are little-endian and not aligned.

import type { CompactOptions, StoreStats, StoreTraits } from '../store.ts'

/**
 * Where a key lives: the present's rows, the past's, and the bytes of blocks (what else is known of
 * a block is in ROWS, so that nobody walks over BLOCKS but a check). Engines may keep and tune each
 * apart (a column family).
 */
export const ROWS = 0
export const PAST = 1
export const BLOCKS = 2
export type Group = typeof ROWS | typeof PAST | typeof BLOCKS
export const GROUP_COUNT = 3

/**
 * No value is longer. Nearly all are below 256 KiB (a block, a row with its extended attribute).
 */
export const VALUE_BYTES_MAX = 2 * 1024 * 1024

/**
 * Entries with gte <= key < lt (lt undefined: to the group's end), upwards, or downwards when
 * `reverse`; at most `limit`, and none after the one with which the answer reaches `bytes`. At
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
 * Reads see every batch that has resolved, and none in part. Throw StoreError; 'corrupt' where the
 * engine says so.
 */
export interface KvReader {
  /** The value, or undefined. Its bytes may change with the next call: copy what stays. */
  get(group: Group, key: Uint8Array): Uint8Array | undefined
  /**
   * Packed entries, the caller's own bytes, all of one state: no batch shows in part. May throw
   * Fault (store.ts) where the engine cannot walk synchronously.
   */
  range(range: KvRange): Uint8Array
}

/** What was committed when it was made, whatever is committed later. */
export interface KvView extends KvReader {
  close(): Promise<void>
}

export interface KvEngine extends KvReader {
  readonly traits: StoreTraits
  /**
   * Applies `length` bytes of packed changes as one batch; resolves when it is durable (fsync or
   * better). The buffer stays as it is until then, so that another thread may read it. KvStore
   * hands over the next batch when this one has ended, and none while a compaction runs that is not
   * online. Rejects with StoreError and has changed nothing then.
   */
  write(changes: Uint8Array, length: number): Promise<void>
  view(): Promise<KvView>
  stats(): StoreStats
  /**
   * Gives unused space back to the host; may be killed anywhere. Reads go on meanwhile, batches if
   * traits.compactsOnline. See CompactOptions: most engines write everything anew in any case.
   */
  compact(options?: CompactOptions): Promise<void>
  /** The engine's own consistency check: findings, [] when sound. */
  verify(): Promise<string[]>
  /**
   * Called when no batch and no compaction runs; views may still be open, and are of no use then.
   * KvStore calls nothing later.
   */
  close(): Promise<void>
}

/**
 * How KvStore opens an engine. Rejects with StoreError: 'io' where there is nothing (or, with
 * `create`, something), 'busy' if another process holds it.
 */
export interface KvOpenOptions {
  readonly create: boolean
  readonly readOnly: boolean
  /** What the engine may keep in memory for reads. */
  readonly cacheBytes: number
}
