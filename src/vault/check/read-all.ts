// Every row of a collection, around those that the engine cannot read: a page that fails is read row by row, what is behind
// a stretch that cannot be walked is read from the other end. For work that must get to the end of a damaged vault.

import { setImmediate } from 'node:timers/promises'
import type { Collection, Key, KeyPart } from '../../store/collections.ts'
import { compareKeys, keyOf } from '../../store/keys.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { type Range, type Store, StoreError } from '../../store/store.ts'

/** One row that cannot be read, or with `key` undefined an unknown number of them. */
export interface Damage {
  readonly collection: string
  readonly key: Key | undefined
  readonly message: string
}

/** Rows of a page: 8 MiB of blocks, 16 MiB of the largest extended attributes, at most. */
const PAGE_ROWS = 2000
const PAGE_ROWS_WITH_BYTES = 256
const PAGE_BLOCKS = 64

/** Pages of rows, each row once: in key order but for what lies behind damage. `damaged` hears of what is left out. */
export async function* everyPage<R extends object>(
  store: Store,
  collection: Collection<R>,
  damaged: (damage: Damage) => void,
): AsyncGenerator<R[]> {
  const limit = pageRows(collection)
  let gte: Key | undefined
  for (let seen: Key | undefined; ; ) {
    const rows = await page(store, collection, rangeOf(gte, limit))
    if (rows !== undefined) {
      const first = rows[0]
      const isSeen = seen !== undefined && first !== undefined && same(collection, first, seen)
      yield isSeen ? rows.slice(1) : rows
      if (rows.length < limit) return
      seen = keyOf(collection, rows[rows.length - 1] as R)
      gte = seen
    } else {
      const next = yield* oneByOne(store, collection, gte, seen, limit, damaged)
      if (next === undefined) return
      gte = next
      seen = undefined
    }
    await setImmediate()
  }
}

function pageRows({ name, types }: Collection<never>): number {
  if (name === 'block') return PAGE_BLOCKS
  return types.includes('bytes') ? PAGE_ROWS_WITH_BYTES : PAGE_ROWS
}

function rangeOf(gte: Key | undefined, limit: number): Range {
  return gte === undefined ? { limit } : { gte, limit }
}

function same<R extends object>(collection: Collection<R>, row: R, key: Key): boolean {
  return compareKeys(keyOf(collection, row), key) === 0
}

/** Undefined when something in the page is damaged. */
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

/** Reads about a page by its keys. Returns where to go on, or undefined at the end. */
async function* oneByOne<R extends object>(
  store: Store,
  collection: Collection<R>,
  gte: Key | undefined,
  seen: Key | undefined,
  limit: number,
  damaged: (damage: Damage) => void,
): AsyncGenerator<R[], Key | undefined> {
  const { name, fields, keyLength } = collection
  const columns = fields.slice(0, keyLength)
  const rows: R[] = []
  let from = gte
  for (let count = 0; count < limit; count++) {
    const found = await unlessCorrupt(() => store.project(collection, columns, rangeOf(from, 1)))
    if (found === undefined) {
      yield rows
      yield* fromTheEnd(store, collection, from, seen, limit, damaged)
      return undefined
    }
    const key = found[0] === undefined ? undefined : keyOf(collection, found[0] as R)
    if (key === undefined) {
      yield rows
      return undefined
    }
    from = behind(key)
    if (seen !== undefined && compareKeys(key, seen) === 0) continue
    const row = await unlessCorrupt(() => store.get(collection, key))
    if (row !== undefined) rows.push(row)
    else damaged({ collection: name, key, message: 'the row cannot be read' })
  }
  yield rows
  return from
}

/**
 * A bound behind a key and before the next. Strings without NUL and digests of one length leave no key between, and text
 * with one is nowhere in a vault.
 */
function behind(key: Key): Key {
  const last = key[key.length - 1] as KeyPart
  return [...key.slice(0, -1), typeof last === 'number' ? last + 1 : `${last}\x01`]
}

/** What can be read downwards, to the stretch that cannot be walked. */
async function* fromTheEnd<R extends object>(
  store: Store,
  collection: Collection<R>,
  gte: Key | undefined,
  seen: Key | undefined,
  pageLimit: number,
  damaged: (damage: Damage) => void,
): AsyncGenerator<R[]> {
  let lt: Key | undefined
  for (let limit = pageLimit; limit >= 1; ) {
    const range = { ...rangeOf(gte, limit), reverse: true, ...(lt === undefined ? {} : { lt }) }
    const rows = await page(store, collection, range)
    if (rows === undefined) {
      limit = Math.floor(limit / 2)
      continue
    }
    yield seen === undefined ? rows : rows.filter((row) => !same(collection, row, seen))
    if (rows.length < limit) break
    lt = keyOf(collection, rows[rows.length - 1] as R)
    await setImmediate()
  }
  const message = 'some rows cannot be read, nor how many they are'
  damaged({ collection: collection.name, key: undefined, message })
}
