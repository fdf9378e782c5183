// Walking rows of the engine by pages, for work that looks at all of them and lets others go on in
// between: only what is durable is seen, so whoever walks first makes durable what was done before.

import { setImmediate } from 'node:timers/promises'
import type { Collection } from '../../store/collections.ts'
import { type Pages, projectPages, scanPages } from '../../store/pages.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Range, Store } from '../../store/store.ts'
import type { Slices } from './time-slices.ts'

const PAGE_ROWS = 512

/** The rows of all pages. */
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

/** The rows of a range in key order, `fields` of them, among which must be the whole key. */
export function walkRows<R extends object, F extends keyof R & string>(
  store: Store,
  collection: Collection<R>,
  fields: readonly F[],
  range: Pick<Range, 'gte' | 'lt'>,
  slices: Slices,
): AsyncGenerator<Pick<R, F>, undefined> {
  return walkPages(projectPages(store, collection, fields, range, PAGE_ROWS), () => slices.turn())
}

/** Every row of a collection that nobody changes meanwhile, in key order. */
export function everyRow<R extends object>(
  store: Store,
  collection: Collection<R>,
  pageRows = PAGE_ROWS,
): AsyncGenerator<R, undefined> {
  return walkPages(scanPages(store, collection, {}, pageRows))
}

/**
 * The same of some columns, the whole key among them: those with bytes that are left out are not
 * read.
 */
export function everyProjection<R extends object, F extends keyof R & string>(
  store: Store,
  collection: Collection<R>,
  fields: readonly F[],
): AsyncGenerator<Pick<R, F>, undefined> {
  return walkPages(projectPages(store, collection, fields, {}, PAGE_ROWS))
}
