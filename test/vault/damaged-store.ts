// A wrapper around a store that cannot read some of its rows, like an engine with damaged values or
// pages.

import { type Store, StoreError } from '../../src/store/store.ts'

/**
 * A store that refuses each page with a row that `isBad`; with `keys` the keys of such a page, too.
 */
export function damagedStore(
  inner: Store,
  isBad: (collection: string, row: object) => boolean,
  keys: boolean,
): Store {
  const refuse = (name: string, rows: readonly object[]): void => {
    if (rows.some((row) => isBad(name, row))) throw new StoreError('corrupt', 'damaged')
  }
  return {
    traits: inner.traits,
    get: (collection, key) => {
      const row = inner.get(collection, key)
      if (row !== undefined) refuse(collection.name, [row])
      return row
    },
    scan: (collection, range) => {
      const rows = inner.scan(collection, range)
      refuse(collection.name, rows)
      return rows
    },
    project: (collection, fields, range) => {
      if (keys) refuse(collection.name, inner.scan(collection, range))
      return inner.project(collection, fields, range)
    },
    commit: (batch) => inner.commit(batch),
    view: () => inner.view(),
    stats: () => inner.stats(),
    compact: (options) => inner.compact(options),
    verify: () => inner.verify(),
    close: () => inner.close(),
  }
}
