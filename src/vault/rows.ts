// Walking rows of the engine by pages, a slice at a time, for work that looks at all of them: only what is durable is
// seen, so whoever walks first makes durable what was done before.

import type { Collection, Key, KeyPart } from '../store/collections.ts'
import type { Range, Store } from '../store/store.ts'
import type { Slices } from './slices.ts'

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
  let { gte } = range
  for (let isFirst = true; ; isFirst = false) {
    const bounds = gte === undefined ? range : { ...range, gte }
    const rows = store.project(collection, fields, { ...bounds, limit: PAGE_ROWS })
    // After the first page the bound is the last row that was seen.
    for (let at = isFirst ? 0 : 1; at < rows.length; at++) yield rows[at] as Pick<R, F>
    const last = rows[rows.length - 1] as Record<string, KeyPart> | undefined
    if (rows.length < PAGE_ROWS || last === undefined) return
    gte = key.map((field) => last[field] as KeyPart) as Key
    await slices.turn()
  }
}
