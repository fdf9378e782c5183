// Rows in key order for check, a page at a time, and what is known of an inode while the tree is walked.

import { setImmediate } from 'node:timers/promises'
import type { Collection, Key, KeyPart } from '../../store/collection.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Range, Store } from '../../store/store.ts'

export const PAGE_ROWS = 500
/** What the walk over the tree learned of one inode. */
export interface Known {
  readonly mode: number
  readonly nlink: number
  readonly size: number
  readonly parent: number
  readonly allocated: number
  /** The name that its row says it has. */
  readonly home: string
  /** Names that lead to it, names in it, and how many of these are directories. */
  names: number
  entries: number
  directories: number
  isHome: boolean
  hardlinks: number
  name: string
  under: number
}

async function* byPages<R extends object, P extends object>(
  { fields, keyLength }: Collection<R>,
  limit: number,
  read: (range: Range) => P[],
): AsyncGenerator<P> {
  let gte: Key | undefined
  for (;;) {
    const range = gte === undefined ? { limit } : { gte, limit }
    const rows = await retryUntilLoaded(() => read(range))
    yield* gte === undefined ? rows : rows.slice(1)
    if (rows.length < limit) return
    const last = rows[rows.length - 1] as unknown as Record<string, KeyPart>
    gte = fields.slice(0, keyLength).map((field) => last[field] as KeyPart)
    await setImmediate()
  }
}

/** Every row of a collection, in key order, a page at a time; lets timers and I/O run between pages. */
export function everyRow<R extends object>(
  store: Store,
  collection: Collection<R>,
  pageRows = PAGE_ROWS,
): AsyncGenerator<R> {
  return byPages(collection, pageRows, (range) => store.scan(collection, range))
}

/** The same of some columns, the whole key among them: those with bytes that are left out are not read. */
export function everyProjection<R extends object, F extends keyof R & string>(
  store: Store,
  collection: Collection<R>,
  fields: readonly F[],
): AsyncGenerator<Pick<R, F>> {
  return byPages(collection, PAGE_ROWS, (range) => store.project(collection, fields, range))
}
