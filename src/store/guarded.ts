// A store that returns no row with a value that avfs could not have written (domains.ts), whatever
// the engine's file holds. `project` of the key columns alone still returns such rows, so that they
// can be found and deleted.

import type { Collection, Key } from './collections.ts'
import { type Unfit, unfitOf } from './domains.ts'
import { inRange, keyOf } from './keys.ts'
import { corrupt, type Range, type Store } from './store.ts'

/** Wraps a store: `get`, `scan` and `project` throw StoreError 'corrupt' for impossible values. */
export function guarded(inner: Store): Store {
  const { auxiliary } = inner
  const checks = new Map<string, Unfit>()
  const checkOf = (collection: Collection<never>, fields: readonly string[]): Unfit => {
    const id = fields === collection.fields ? collection.name : `${collection.name} ${fields}`
    const known = checks.get(id)
    if (known !== undefined) return known
    const isKey = fields.join() === collection.fields.slice(0, collection.keyLength).join()
    const isWhole = fields.length === collection.fields.length
    const made = isKey && !isWhole ? unfitKey(fields) : unfitOf(collection, fields)
    checks.set(id, made)
    return made
  }
  const assertFit = <R extends object>(
    collection: Collection<R>,
    fields: readonly string[],
    rows: readonly object[],
  ): void => {
    const unfit = checkOf(collection, fields)
    for (const row of rows) {
      const field = unfit(row)
      if (field !== undefined) throw unfitRow(collection, row, field)
    }
  }
  return {
    traits: inner.traits,
    ...(auxiliary === undefined ? {} : { auxiliary }),
    get<R extends object>(collection: Collection<R>, key: Key): R | undefined {
      const row = inner.get(collection, key)
      if (row !== undefined) assertFit(collection, collection.fields, [row])
      return row
    },
    scan<R extends object>(collection: Collection<R>, range: Range): R[] {
      const rows = inner.scan(collection, range)
      assertFit(collection, collection.fields, rows)
      assertWithin(collection, collection.fields, rows, range)
      return rows
    },
    project<R extends object, F extends keyof R & string>(
      collection: Collection<R>,
      fields: readonly F[],
      range: Range,
    ): Pick<R, F>[] {
      const rows = inner.project(collection, fields, range)
      assertFit(collection, fields, rows)
      assertWithin(collection, fields, rows, range)
      return rows
    },
    commit: (batch) => inner.commit(batch),
    view: async () => guarded(await inner.view()),
    stats: () => inner.stats(),
    compact: (options) => inner.compact(options),
    verify: () => inner.verify(),
    close: () => inner.close(),
  }
}

/**
 * A key whose text is not UTF-8 is decoded as a different key, which may sort before the row. A
 * walk that continues after the decoded key would then meet the same row for ever.
 */
function assertWithin<R extends object>(
  collection: Collection<R>,
  fields: readonly string[],
  rows: readonly object[],
  range: Range,
): void {
  const [first] = rows
  if (first === undefined) return
  for (let part = 0; part < collection.keyLength; part++)
    if (fields[part] !== collection.fields[part]) return
  if (!inRange(keyOf(collection, first as R), range))
    throw unfitRow(collection, first, 'place in its order')
}

/** The key's parts must have a type that a key can be looked up by. */
function unfitKey(fields: readonly string[]): Unfit {
  return (row) =>
    fields.find((field) => {
      const value = (row as Record<string, unknown>)[field]
      return typeof value !== 'number' && typeof value !== 'string'
    })
}

function unfitRow<R extends object>(collection: Collection<R>, row: object, field: string): Error {
  const key = keyOf(collection, row as R)
  const at = JSON.stringify(key.filter((part) => part !== undefined))
  return corrupt(`row ${at} of ${collection.name} has no ${field} that can be`)
}
