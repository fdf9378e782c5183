// Reads the rows of a range page by page, so that a range of any length can be walked. A page whose
// read must wait is read again by the next call; the caller decides how to wait, and when to yield.

import type { Collection, Key } from './collections.ts'
import { compareKeys, keyAfter, keyOf } from './keys.ts'
import type { Range, Store } from './store.ts'

type Bounds = Pick<Range, 'gte' | 'lt'>
type Reader<M extends 'scan' | 'project'> = Pick<Store, M>

/**
 * The next rows in key order; undefined after the last. When it throws, its position is unchanged.
 */
export type Pages<P> = () => P[] | undefined

/** Whole rows, `limit` to a page. */
export function scanPages<R extends object>(
  from: Reader<'scan'>,
  collection: Collection<R>,
  bounds: Bounds,
  limit: number,
): Pages<R> {
  return pagesOf(collection, bounds, limit, (range) => from.scan(collection, range))
}

/** Some columns only, which must include the whole key; the bytes of other columns are not read. */
export function projectPages<R extends object, F extends keyof R & string>(
  from: Reader<'project'>,
  collection: Collection<R>,
  fields: readonly F[],
  bounds: Bounds,
  limit: number,
): Pages<Pick<R, F>> {
  return pagesOf(collection, bounds, limit, (range) => from.project(collection, fields, range))
}

function pagesOf<R extends object, P extends object>(
  collection: Collection<R>,
  bounds: Bounds,
  limit: number,
  read: (range: Range) => P[],
): Pages<P> {
  const { gte = [], lt } = bounds
  // An empty range is not read: it may never have been prefetched, so the read could throw Fault.
  const isEmpty = lt !== undefined && compareKeys(gte, lt) >= 0
  let from: Key | undefined = isEmpty ? undefined : gte
  return () => {
    if (from === undefined) return undefined
    const rows = read({ ...bounds, ...(from.length > 0 && { gte: from }), limit })
    const last = rows.length < limit ? undefined : rows.at(-1)
    from = last && keyAfter(keyOf(collection, last as unknown as R))
    return rows
  }
}

/** All rows of all pages, one after the other. */
export function* rowsOn<P>(pages: Pages<P>): Generator<P, undefined> {
  for (let page = pages(); page !== undefined; page = pages()) yield* page
  return undefined
}
