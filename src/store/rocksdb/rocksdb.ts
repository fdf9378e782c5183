// The RocksDB engine: a vault is a folder of tables, a column family a group. Reads run on the calling thread; batches,
// compaction and checks on others. How it is laid out and tuned is native/rocksdb/options.cc.

import { addonOf, told, toldLater, toldMuchLater } from '../kv/addon.ts'
import {
  type Group,
  type KvEngine,
  type KvOpenOptions,
  type KvRange,
  type KvView,
  VALUE_BYTES_MAX,
} from '../kv/engine.ts'
import { StoreError, type StoreStats, type StoreTraits } from '../store.ts'
import type { Database, RocksdbAddon, Snapshot } from './native.ts'

/** Opens NAME.rocksdb. A reader holds the lock as a writer does, so that nobody deletes tables under it. */
export async function openRocksdb(path: string, options: KvOpenOptions): Promise<KvEngine> {
  const addon = addonOf<RocksdbAddon>('rocksdb')
  const { create, readOnly, cacheBytes } = options
  const database = await toldLater(() => addon.open(path, create, readOnly, cacheBytes))
  return new Rocksdb(addon, database)
}

class Rocksdb implements KvEngine {
  readonly traits: StoreTraits = {
    backend: 'rocksdb',
    synchronous: true,
    persistent: true,
    compresses: true,
    compactsOnline: true,
    // RocksDB itself takes more; this leaves a batch room to hold a key beside a value.
    keyBytesMax: 65_535,
    durability: 'write-ahead log, one fdatasync a commit',
    growth: 2,
    reserveBytes: 32 * 1024 * 1024,
  }
  readonly #addon: RocksdbAddon
  readonly #database: Database
  /** Where values are read to. */
  #value = new Uint8Array(VALUE_BYTES_MAX)
  #closing: Promise<void> | undefined

  constructor(addon: RocksdbAddon, database: Database) {
    this.#addon = addon
    this.#database = database
  }

  get(group: Group, key: Uint8Array): Uint8Array | undefined {
    return this.#get(undefined, group, key)
  }

  range(range: KvRange): Uint8Array {
    return this.#range(undefined, range)
  }

  async write(changes: Uint8Array, length: number): Promise<void> {
    return toldLater(() => this.#addon.write(this.#database, changes, length))
  }

  async view(): Promise<KvView> {
    const snapshot = told(() => this.#addon.snapshot(this.#database))
    return {
      get: (group, key) => this.#get(snapshot, group, key),
      range: (range) => this.#range(snapshot, range),
      close: async () => this.#addon.release(snapshot),
    }
  }

  stats(): StoreStats {
    const { bytes, ...engine } = told(() => this.#addon.stats(this.#database))
    return { bytes: Number(bytes), engine }
  }

  async compact(): Promise<void> {
    return toldMuchLater(
      () => this.#addon.compact(this.#database),
      () => this.close(),
    )
  }

  async verify(): Promise<string[]> {
    return toldMuchLater(
      () => this.#addon.verify(this.#database),
      () => this.close(),
    )
  }

  close(): Promise<void> {
    this.#closing ??= toldLater(() => this.#addon.close(this.#database))
    return this.#closing
  }

  #get(snapshot: Snapshot | undefined, group: Group, key: Uint8Array): Uint8Array | undefined {
    const read = () => this.#addon.get(this.#database, snapshot, group, key, this.#value)
    const length = told(read)
    if (length < 0) return undefined
    if (length > this.#value.length)
      throw new StoreError('corrupt', `the vault is damaged: a value of ${length} bytes`)
    return this.#value.subarray(0, length)
  }

  #range(snapshot: Snapshot | undefined, range: KvRange): Uint8Array {
    const { group, gte, lt, reverse, limit, bytes } = range
    const database = this.#database
    const { range: read } = this.#addon
    return told(() => read(database, snapshot, group, gte, lt, reverse, limit, bytes))
  }
}
