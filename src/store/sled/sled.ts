// The sled engine: a vault is a folder with sled's log and a file of long values. Reads run on the calling thread; batches, compaction and checks on
// others. sled has neither snapshots nor compaction nor a real sync, and writes long values again and again: native/sled
// mends that.

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
import type { SledAddon, SledDatabase, ViewNumber } from './native.ts'

/** Opens NAME.sled. A reader writes nothing into the vault, but sled tidies its log when it opens it. */
export async function openSled(path: string, options: KvOpenOptions): Promise<KvEngine> {
  const addon = addonOf<SledAddon>('sled')
  const { create, readOnly, cacheBytes } = options
  return new Sled(await toldLater(() => addon.open(path, create, readOnly, cacheBytes)))
}

class Sled implements KvEngine {
  readonly traits: StoreTraits = {
    backend: 'sled',
    synchronous: true,
    persistent: true,
    compresses: true,
    compactsOnline: true,
    // Sixteen keys and near values of a leaf must stay far below a quarter of a segment.
    keyBytesMax: 16_384,
    durability: 'log-structured, one fdatasync a commit, two with long values',
    growth: 4,
    reserveBytes: 48 * 1024 * 1024,
  }
  readonly #database: SledDatabase
  /** Where values are read to. */
  readonly #value = new Uint8Array(VALUE_BYTES_MAX)
  #closing: Promise<void> | undefined

  constructor(database: SledDatabase) {
    this.#database = database
  }

  get(group: Group, key: Uint8Array): Uint8Array | undefined {
    return this.#get(undefined, group, key)
  }

  range(range: KvRange): Uint8Array {
    return this.#range(undefined, range)
  }

  async write(changes: Uint8Array, length: number): Promise<void> {
    return toldLater(() => this.#database.write(changes, length))
  }

  async view(): Promise<KvView> {
    const view = told(() => this.#database.view())
    return {
      get: (group, key) => this.#get(view, group, key),
      range: (range) => this.#range(view, range),
      close: async () => this.#database.closeView(view),
    }
  }

  stats(): StoreStats {
    const { bytes = 0, reservedBytes, ...engine } = told(() => this.#database.stats())
    return { bytes, reservedBytes, engine }
  }

  async compact(): Promise<void> {
    return toldMuchLater(
      () => this.#database.compact(),
      () => this.close(),
    )
  }

  async verify(): Promise<string[]> {
    return toldMuchLater(
      () => this.#database.verify(),
      () => this.close(),
    )
  }

  close(): Promise<void> {
    this.#closing ??= toldLater(() => this.#database.close())
    return this.#closing
  }

  #get(view: ViewNumber | undefined, group: Group, key: Uint8Array): Uint8Array | undefined {
    const length = told(() => this.#database.get(view, group, key, this.#value))
    if (length < 0) return undefined
    if (length > this.#value.length)
      throw new StoreError('corrupt', `the vault is damaged: a value of ${length} bytes`)
    return this.#value.subarray(0, length)
  }

  #range(view: ViewNumber | undefined, range: KvRange): Uint8Array {
    const { group, gte, lt, reverse, limit, bytes } = range
    return told(() => this.#database.range(view, group, gte, lt, reverse, limit, bytes))
  }
}
