// Reads every row of a collection that the engine can read: a page that fails is read row by row,
// and what follows a range that cannot be scanned is read backwards from the end. For work that
// must get through a damaged vault.

import { setImmediate } from 'node:timers/promises'
import type { Collection, Key } from '../../store/collections.ts'
import { keyAfter, keyOf } from '../../store/keys.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { type Range, type Store, StoreError } from '../../store/store.ts'

/** A row that cannot be read; with `key` undefined, an unknown number of them. */
export interface Damage {
  readonly collection: string
  readonly key: Key | undefined
  readonly message: string
}

/** Rows of a page: at most 8 MiB of blocks, or 16 MiB of the largest extended attributes. */
const PAGE_ROWS = 2000
const PAGE_ROWS_WITH_BYTES = 256
const PAGE_BLOCKS = 64

/**
 * Pages of rows, each row once, in key order except what follows damage. `damaged` is called for
 * what is left out.
 */
export async function* everyPage<R extends object>(
  store: Store,
  collection: Collection<R>,
  damaged: (damage: Damage) => void,
): AsyncGenerator<R[]> {
  const limit = pageRows(collection)
  for (let gte: Key | undefined = []; gte !== undefined; await setImmediate()) {
    const rows = await page(store, collection, { gte, limit })
    if (rows === undefined) gte = yield* oneByOne(store, collection, gte, limit, damaged)
    else {
      yield rows
      const last = rows.length < limit ? undefined : rows.at(-1)
      gte = last && keyAfter(keyOf(collection, last))
    }
  }
}

function pageRows({ name, types }: Collection<never>): number {
  if (name === 'block') return PAGE_BLOCKS
  return types.includes('bytes') ? PAGE_ROWS_WITH_BYTES : PAGE_ROWS
}

/** Undefined when the page cannot be read. */
async function page<R extends object>(
  store: Store,
  collection: Collection<R>,
  range: Range,
): Promise<R[] | undefined> {
  return unlessCorrupt(() => store.scan(collection, range))
}

async function unlessCorrupt<T>(read: () => T): Promise<T | undefined> {
  try {
    return await retryUntilLoaded(read)
  } catch (error) {
    if (error instanceof StoreError && error.kind === 'corrupt') return undefined
    throw error
  }
}

/** Reads about a page key by key. Returns where to continue, or undefined at the end. */
async function* oneByOne<R extends object>(
  store: Store,
  collection: Collection<R>,
  gte: Key,
  limit: number,
  damaged: (damage: Damage) => void,
): AsyncGenerator<R[], Key | undefined> {
  const { name, fields, keyLength } = collection
  const columns = fields.slice(0, keyLength)
  const rows: R[] = []
  let from: Key | undefined = gte
  for (let count = 0; count < limit && from !== undefined; count++) {
    const range: Range = { gte: from, limit: 1 }
    const found = await unlessCorrupt(() => store.project(collection, columns, range))
    if (found === undefined) {
      yield rows
      yield* fromTheEnd(store, collection, from, limit, damaged)
      return undefined
    }
    if (found[0] === undefined) {
      yield rows
      return undefined
    }
    const key = keyOf(collection, found[0] as R)
    from = keyAfter(key)
    const row = await unlessCorrupt(() => store.get(collection, key))
    if (row !== undefined) rows.push(row)
    else damaged({ collection: name, key, message: 'the row cannot be read' })
  }
  yield rows
  return from
}

/** Reads backwards from the end, up to the range that cannot be scanned. */
async function* fromTheEnd<R extends object>(
  store: Store,
  collection: Collection<R>,
  gte: Key,
  pageLimit: number,
  damaged: (damage: Damage) => void,
): AsyncGenerator<R[]> {
  let lt: Key | undefined
  for (let limit = pageLimit; limit >= 1; ) {
    const range = { gte, limit, reverse: true, ...(lt && { lt }) }
    const rows = await page(store, collection, range)
    if (rows === undefined) {
      limit = Math.floor(limit / 2)
      continue
    }
    yield rows
    if (rows.length < limit) break
    lt = keyOf(collection, rows[rows.length - 1] as R)
    await setImmediate()
  }
  const message = 'some rows cannot be read, nor how many they are'
  damaged({ collection: collection.name, key: undefined, message })
}
