// Walks over rows of the engine, page by page, for work that visits all of them and yields to
// requests in between. Only durable rows are seen, so callers commit first.

import { setImmediate } from 'node:timers/promises'
import type { Collection } from '../../store/collections.ts'
import { type Pages, projectPages, scanPages } from '../../store/pages.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Range, Store } from '../../store/store.ts'
import type { Slices } from './time-slices.ts'

const PAGE_ROWS = 512

/** Yields the rows of all pages, pausing after each. */
export async function* walkPages<P>(
  pages: Pages<P>,
  turn: Slices['turn'] = () => setImmediate(),
): AsyncGenerator<P, undefined> {
  for (;;) {
    const page = await retryUntilLoaded(pages)
    if (page === undefined) return undefined
    for (const row of page) yield row
    await turn()
  }
}

/** Yields the `fields` of a range's rows, in key order; they must include the whole key. */
export function walkRows<R extends object, F extends keyof R & string>(
  store: Store,
  collection: Collection<R>,
  fields: readonly F[],
  range: Pick<Range, 'gte' | 'lt'>,
  slices: Slices,
): AsyncGenerator<Pick<R, F>, undefined> {
  return walkPages(projectPages(store, collection, fields, range, PAGE_ROWS), () => slices.turn())
}

/** Yields every row of a collection, in key order; nobody may change it meanwhile. */
export function everyRow<R extends object>(
  store: Store,
  collection: Collection<R>,
  pageRows = PAGE_ROWS,
): AsyncGenerator<R, undefined> {
  return walkPages(scanPages(store, collection, {}, pageRows))
}

/**
 * As `everyRow`, but only some columns, the whole key among them; byte columns that are left out
 * are not read.
 */
export function everyProjection<R extends object, F extends keyof R & string>(
  store: Store,
  collection: Collection<R>,
  fields: readonly F[],
): AsyncGenerator<Pick<R, F>, undefined> {
  return walkPages(projectPages(store, collection, fields, {}, PAGE_ROWS))
}
