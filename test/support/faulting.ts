// A store whose reads must wait: the first read of anything since the last commit throws Fault. It
// wraps a store that answers at once, so that a vault can be compared on both.

import type { Collection, Key } from '../../src/store/collections.ts'
import { compareKeys, keyOf } from '../../src/store/keys.ts'
import { type Batch, Fault, type Range, type Store } from '../../src/store/store.ts'
import { operationsDone } from './waiting.ts'

/** Keys of [from, to): undefined is without a bound. */
interface Stretch {
  readonly from: Key
  readonly to: Key | undefined
}

/** What the engine has at hand, by collection. */
type Known = Map<string, Stretch[]>

export interface FaultingStore extends Store {
  /** Reads that had to wait. */
  readonly faults: number
  /** Does something without faults: looking at what is there, for a test. */
  calm<T>(work: () => T): T
}

/** `gets`: single rows must be waited for, too, as across a network. */
export function faulting(inner: Store, { gets }: { gets: boolean }): FaultingStore {
  const known: Known = new Map()
  let faults = 0
  let isCalm = false
  const covers = (name: string, from: Key, to: Key | undefined): boolean =>
    (known.get(name) ?? []).some(
      (its) =>
        compareKeys(its.from, from) <= 0 &&
        (its.to === undefined || (to !== undefined && compareKeys(to, its.to) <= 0)),
    )
  let seen = 0
  const demand = (name: string, stretch: Stretch): void => {
    // What one operation has read is gone for the next.
    if (seen !== operationsDone()) known.clear()
    seen = operationsDone()
    if (isCalm || covers(name, stretch.from, stretch.to)) return
    faults++
    throw new Fault(async () => {
      await new Promise((resolve) => setImmediate(resolve))
      const its = known.get(name)
      if (its === undefined) known.set(name, [stretch])
      else its.push(stretch)
    })
  }
  /** Of a range that its limit cut off, only what came is known. */
  const demandRange = <R extends object>(collection: Collection<R>, range: Range): void => {
    const { gte = [], lt, reverse = false, limit } = range
    const rows = inner.scan(collection, range)
    const last = rows.length < limit ? undefined : rows[rows.length - 1]
    const end = last === undefined ? undefined : keyOf(collection, last)
    if (reverse) demand(collection.name, { from: end ?? gte, to: lt })
    else demand(collection.name, { from: gte, to: end === undefined ? lt : [...end, 0] })
  }
  return {
    traits: { ...inner.traits, synchronous: false },
    get faults() {
      return faults
    },
    calm<T>(work: () => T): T {
      isCalm = true
      try {
        return work()
      } finally {
        isCalm = false
      }
    },
    get<R extends object>(collection: Collection<R>, key: Key): R | undefined {
      if (gets) demand(collection.name, { from: key, to: [...key, 0] })
      return inner.get(collection, key)
    },
    scan<R extends object>(collection: Collection<R>, range: Range): R[] {
      demandRange(collection, range)
      return inner.scan(collection, range)
    },
    project<R extends object, F extends keyof R & string>(
      collection: Collection<R>,
      fields: readonly F[],
      range: Range,
    ): Pick<R, F>[] {
      demandRange(collection, range)
      return inner.project(collection, fields, range)
    },
    async commit(batch: Batch): Promise<void> {
      await inner.commit(batch)
      known.clear()
    },
    view: async () => faulting(await inner.view(), { gets }),
    stats: () => inner.stats(),
    compact: (options) => inner.compact(options),
    verify: () => inner.verify(),
    close: () => inner.close(),
  }
}
