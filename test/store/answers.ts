// Reads of a store that wait where they must, so that one suite fits engines that answer at once
// and those that do not.

import type { Collection } from '../../src/store/collections.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import type { Range, Store } from '../../src/store/store.ts'

/** `Store.scan`. */
export function scanned<R extends object>(
  store: Store,
  collection: Collection<R>,
  range: Range,
): Promise<R[]> {
  return retryUntilLoaded(() => store.scan(collection, range))
}

/** `Store.project`. */
export function projected<R extends object, F extends keyof R & string>(
  store: Store,
  collection: Collection<R>,
  fields: readonly F[],
  range: Range,
): Promise<Pick<R, F>[]> {
  return retryUntilLoaded(() => store.project(collection, fields, range))
}
