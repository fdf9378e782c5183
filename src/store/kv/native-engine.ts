// A KvEngine over a native addon (native/rocksdb, native/sled), and the calls that such an addon
// must export. Reads run on the calling thread; batches, compaction and checks on others. Errors
// thrown by an addon have a `kind` of StoreError.

import { type CompactOptions, StoreError, type StoreStats, type StoreTraits } from '../store.ts'
import { addonOf, told, toldLater, toldMuchLater } from './addon.ts'
import {
  type Group,
  type KvEngine,
  type KvOpenOptions,
  type KvRange,
  type KvView,
  VALUE_BYTES_MAX,
} from './engine.ts'

type Database = object & { readonly nativeDatabase: never }
type Snapshot = object & { readonly nativeSnapshot: never }

/** What an addon exports. */
export interface NativeAddon {
  /** The engine's own version. */
  readonly version: string
  open(path: string, create: boolean, readOnly: boolean, cacheBytes: number): Promise<Database>
  /** Copies the value to `into` if it fits, and returns its length; -1 if there is none. */
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
  /** The changes are copied before it returns. Batches are written in the order of the calls. */
  write(database: Database, changes: Uint8Array, length: number): Promise<void>
  snapshot(database: Database): Snapshot
  release(snapshot: Snapshot): void
  /**
   * The engine's figures by name: `bytes` of all files, and `reservedBytes` that closing would
   * return.
   */
  stats(database: Database): Record<string, number | string>
  /** With `anew`, rewrites everything even if no space is gained. */
  compact(database: Database, anew: boolean): Promise<void>
  verify(database: Database): Promise<string[]>
  /** Waits for batches, and ends a running compact or verify early. */
  close(database: Database): Promise<void>
}

/**
 * Opens a vault with the addon in native/NAME; traits.backend is the name. A reader takes the lock
 * as a writer does, so that no other process deletes files that it reads.
 */
export async function openNative(
  path: string,
  { create, readOnly, cacheBytes }: KvOpenOptions,
  traits: StoreTraits,
): Promise<KvEngine> {
  const addon = addonOf<NativeAddon>(traits.backend)
  const database = await toldLater(() => addon.open(path, create, readOnly, cacheBytes))
  return new NativeEngine(addon, database, traits)
}

class NativeEngine implements KvEngine {
  readonly traits: StoreTraits
  readonly #addon: NativeAddon
  readonly #database: Database
  /** Buffer that values are read into. */
  readonly #value = new Uint8Array(VALUE_BYTES_MAX)
  #closing: Promise<void> | undefined

  constructor(addon: NativeAddon, database: Database, traits: StoreTraits) {
    this.traits = traits
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
    const { bytes, reservedBytes, ...engine } = told(() => this.#addon.stats(this.#database))
    const reserved = reservedBytes === undefined ? {} : { reservedBytes: Number(reservedBytes) }
    return { bytes: Number(bytes), ...reserved, engine }
  }

  async compact({ anew = false }: CompactOptions = {}): Promise<void> {
    return toldMuchLater(
      () => this.#addon.compact(this.#database, anew),
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
