// native/rocksdb and its types. What the calls are for is up to rocksdb.ts; what they throw has a `kind` of StoreError.

import { requireAddon } from '../kv/addon.ts'
import type { Group } from '../kv/engine.ts'

export type Database = object & { readonly rocksdbDatabase: never }
export type Snapshot = object & { readonly rocksdbSnapshot: never }

export interface RocksdbAddon {
  readonly version: string
  open(path: string, create: boolean, readOnly: boolean, cacheBytes: number): Promise<Database>
  /** The value's length, which is in `into` if it fits; -1: there is none. */
  get(
    database: Database,
    snapshot: Snapshot | undefined,
    group: Group,
    key: Uint8Array,
    into: Uint8Array,
  ): number
  range(
    database: Database,
    snapshot: Snapshot | undefined,
    group: Group,
    gte: Uint8Array,
    lt: Uint8Array | undefined,
    reverse: boolean,
    limit: number,
    bytes: number,
  ): Uint8Array
  /** The changes are copied before it returns, and written in the order of the calls. */
  write(database: Database, changes: Uint8Array, length: number): Promise<void>
  snapshot(database: Database): Snapshot
  release(snapshot: Snapshot): void
  stats(database: Database): Record<string, number | string>
  compact(database: Database): Promise<void>
  verify(database: Database): Promise<string[]>
  /** Waits for writes, and ends compact and verify early. */
  close(database: Database): Promise<void>
}

/** RocksDB's version; rejects with what require throws where the addon cannot be loaded. */
export async function rocksdbVersion(): Promise<string> {
  return requireAddon<RocksdbAddon>('rocksdb').version
}
