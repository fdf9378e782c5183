// Walking rows of the engine by pages, a slice at a time, for work that looks at all of them: only what is durable is
// seen, so whoever walks first makes durable what was done before.

import type { Collection, Key, KeyPart } from '../../store/collections.ts'
import { compareKeys } from '../../store/keys.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Range, Store } from '../../store/store.ts'
import type { Slices } from './time-slices.ts'

const PAGE_ROWS = 512

/** The rows of a range in key order, `fields` of them, among which must be the whole key. */
export async function* walkRows<R extends object, F extends keyof R & string>(
  store: Store,
  collection: Collection<R>,
  fields: readonly F[],
  range: Pick<Range, 'gte' | 'lt'>,
  slices: Slices,
): AsyncGenerator<Pick<R, F>> {
  const key = collection.fields.slice(0, collection.keyLength)
  const keyOf = (row: unknown): Key =>
    key.map((field) => (row as Record<string, KeyPart>)[field] as KeyPart)
  let { gte } = range
  let seen: Key | undefined
  for (;;) {
    const bounds = gte === undefined ? range : { ...range, gte }
    const rows = await retryUntilLoaded(() =>
      store.project(collection, fields, { ...bounds, limit: PAGE_ROWS }),
    )
    for (const row of rows) {
      // After the first page the bound is the last row that was seen, unless that was deleted meanwhile.
      if (seen !== undefined && compareKeys(keyOf(row), seen) === 0) continue
      yield row
    }
    if (rows.length < PAGE_ROWS) return
    seen = keyOf(rows[rows.length - 1])
    gte = seen
    await slices.turn()
  }
}
