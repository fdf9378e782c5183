// The tantivy engine of search: an index is a folder beside the vault. Looks run on the calling
// thread, batches and merges on one of the index's own. A batch costs no wait for the disk:
// native/tantivy-node syncs at a flush, and after a crash the index is as it was at the last one.

import type {
  Hit,
  IndexBatch,
  IndexStatus,
  Plan,
  SearchEngine,
  Stretch,
  TextVersion,
} from './engine.ts'
import {
  searchErrorOf,
  type TantivyIndex,
  type TantivyOptions,
  tantivyAddon,
} from './tantivy-native.ts'

/**
 * Opens the index in a folder. Reads it whole once, off the calling thread, to find damage. Rejects
 * with StoreError: 'corrupt' when it must be rebuilt (`rebuild` does so), 'busy' while another has
 * it open, 'io' where there is none and `create` is not given, 'format' for a folder of something
 * else, 'unavailable' where the addon is not built.
 */
export async function openTantivy(
  path: string,
  options: TantivyOptions = {},
): Promise<SearchEngine> {
  const addon = tantivyAddon()
  return new Tantivy(await withStoreErrorsLater(() => addon.open(path, options)))
}

class Tantivy implements SearchEngine {
  readonly #index: TantivyIndex
  #closing: Promise<void> | undefined

  constructor(index: TantivyIndex) {
    this.#index = index
  }

  apply(batch: IndexBatch): Promise<void> {
    return withStoreErrorsLater(() => this.#index.apply(batch))
  }

  flush(): Promise<void> {
    return withStoreErrorsLater(() => this.#index.flush())
  }

  textsWith(hashes: readonly Uint8Array[]): (number | undefined)[] {
    return withStoreErrors(() => this.#index.textsWith(hashes)).map((id) => id ?? undefined)
  }

  query(plan: Plan, limit: number, offset: number): Hit[] {
    return withStoreErrors(() => this.#index.query(plan, limit, offset))
  }

  queryPieces(plan: Plan, limit: number, offset: number): Hit[] {
    return withStoreErrors(() => this.#index.queryPieces(plan, limit, offset))
  }

  among(plan: Plan, ids: readonly number[]): Hit[] {
    return withStoreErrors(() => this.#index.among(plan, ids))
  }

  versionsOf(text: number): TextVersion[] {
    return withStoreErrors(() => this.#index.versionsOf(text))
  }

  textOf(ino: number, number: number): number | undefined {
    return withStoreErrors(() => this.#index.textOf(ino, number)) ?? undefined
  }

  versionsOfFile(ino: number): TextVersion[] {
    return withStoreErrors(() => this.#index.versionsOfFile(ino))
  }

  stretches(ids: readonly number[]): Stretch[] {
    return withStoreErrors(() => this.#index.stretches(ids))
  }

  stretchesOfFile(ino: number): Stretch[] {
    return withStoreErrors(() => this.#index.stretchesOfFile(ino))
  }

  unusedTexts(from: number, limit: number): number[] {
    return withStoreErrors(() => this.#index.unusedTexts(from, limit))
  }

  status(): IndexStatus {
    return withStoreErrors(() => this.#index.status())
  }

  clear(): Promise<void> {
    return withStoreErrorsLater(() => this.#index.clear())
  }

  optimize(): Promise<void> {
    return withStoreErrorsLater(() => this.#index.optimize())
  }

  close(): Promise<void> {
    this.#closing ??= withStoreErrorsLater(() => this.#index.close())
    return this.#closing
  }
}

function withStoreErrors<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw searchErrorOf(error)
  }
}

async function withStoreErrorsLater<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw searchErrorOf(error)
  }
}
