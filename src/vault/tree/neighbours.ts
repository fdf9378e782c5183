// Reads rows of many inodes at once. Inodes that were created together (saves by rename, the files
// of a directory) have close numbers, and one scan over all of them costs a tenth of one scan each.
// Returns durable rows only; callers ask the overlay for the rest.

import type { Collection } from '../../store/collections.ts'
import type { Core } from '../core/core.ts'

/** Limits of one scan: inodes; its span of numbers and its rows, both for each wanted inode. */
const INODES_MAX = 512
const SPREAD_MAX = 4
const ROWS_MAX = 8

/**
 * The `fields` of rows of inodes with close numbers, in key order. Inodes whose current rows are
 * not all known from the scan are left out.
 */
export function neighboursOf<R extends { ino: number }, F extends keyof R & string>(
  core: Core,
  collection: Collection<R>,
  fields: readonly ('ino' | F)[],
  inos: readonly number[],
): Map<number, readonly Pick<R, 'ino' | F>[]> {
  const found = new Map<number, Pick<R, 'ino' | F>[]>()
  const sorted = Float64Array.from(new Set(inos)).sort()
  for (let at = 0; at < sorted.length; at += INODES_MAX)
    scanTogether(core, collection, fields, sorted.subarray(at, at + INODES_MAX), found)
  return found
}

function scanTogether<R extends { ino: number }, F extends keyof R & string>(
  { overlay }: Core,
  collection: Collection<R>,
  fields: readonly ('ino' | F)[],
  inos: Float64Array,
  found: Map<number, Pick<R, 'ino' | F>[]>,
): void {
  const first = inos[0] as number
  const last = inos[inos.length - 1] as number
  if (inos.length === 1 || last - first > inos.length * SPREAD_MAX) return
  const limit = inos.length * ROWS_MAX
  const rows = overlay.store.project(collection, fields, { gte: [first], lt: [last + 1], limit })
  // Rows of the last inode may be cut off by the limit.
  const end = rows.length < limit ? last + 1 : (rows[limit - 1]?.ino ?? first)
  for (const ino of inos) if (ino < end && overlay.settled(collection, ino)) found.set(ino, [])
  for (const row of rows) found.get(row.ino)?.push(row)
}
