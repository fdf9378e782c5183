// A store that fails at its n-th call, for tests: run the same work with n = 1, 2, 3 ... until a
// run has no fault, and the remaining state must be right each time. A call that fails does not
// reach the inner store.

import type { Collection, Key } from '../../src/store/collections.ts'
import {
  type Batch,
  type Range,
  type Store,
  StoreError,
  type StoreStats,
} from '../../src/store/store.ts'

/** A store around another; `failed` says whether the fault came up yet. */
interface FailingStore extends Store {
  readonly failed: boolean
}

/**
 * Fails once, with kind 'io', at the call number `at` (1, 2, 3 ...) of get, scan, project, commit,
 * view, stats, compact and verify.
 */
export function failing(inner: Store, at: number): FailingStore {
  let calls = 0
  const count = () => {
    if (++calls === at) throw new StoreError('io', `call ${at} failed on purpose`)
  }
  return {
    traits: inner.traits,
    get failed() {
      return calls >= at
    },
    get<R extends object>(collection: Collection<R>, key: Key): R | undefined {
      count()
      return inner.get(collection, key)
    },
    scan<R extends object>(collection: Collection<R>, range: Range): R[] {
      count()
      return inner.scan(collection, range)
    },
    project<R extends object, F extends keyof R & string>(
      collection: Collection<R>,
      fields: readonly F[],
      range: Range,
    ): Pick<R, F>[] {
      count()
      return inner.project(collection, fields, range)
    },
    async commit(batch: Batch): Promise<void> {
      count()
      return inner.commit(batch)
    },
    async view(): Promise<Store> {
      count()
      return inner.view()
    },
    stats(): StoreStats {
      count()
      return inner.stats()
    },
    async compact(options): Promise<void> {
      count()
      return inner.compact(options)
    },
    async verify(): Promise<string[]> {
      count()
      return inner.verify()
    },
    close: () => inner.close(),
  }
}
