// What was written to a file after a version, version by version, found by its extents: so that a
// long text need not be read for each small change. Reads only, and what is durable alone.

import { extent, extentPast } from '../store/collections.ts'
import { ALL, type Store } from '../store/store.ts'
import { readExtents } from '../vault/content/content.ts'
import { verifyInline } from '../vault/content/extents.ts'
import type { Core } from '../vault/core/core.ts'
import type { RowsAhead, Write } from './rows-ahead.ts'
import type { SealedVersion } from './source.ts'
import type { Written } from './text-window.ts'

const WRITE_COLUMNS = ['ino', 'offset', 'since', 'length'] as const

/** All of it lies at `from` or behind; for each version, what was written for it, in order. */
export interface Writes {
  readonly from: number
  readonly ofVersions: readonly (readonly Write[])[]
}

/** What was written for `versions`, which follow each other, the first of them `before`. */
export function writesAfter(
  store: Store,
  ino: number,
  before: SealedVersion,
  versions: readonly SealedVersion[],
): Writes {
  const present = store.project(extent, WRITE_COLUMNS, { gte: [ino], lt: [ino + 1], limit: ALL })
  let from = versions.reduce((least, { size }) => Math.min(least, size), before.size)
  let covered = 0
  for (const { offset, length, since } of present) {
    // An extent that changed has a new row, and a hole has none.
    if (since > before.moment) from = Math.min(from, offset)
    if (offset > covered) from = Math.min(from, covered)
    covered = offset + length
  }
  const last = versions.at(-1)?.moment ?? 0
  const matchesPath = ({ offset, since }: Write): boolean =>
    offset >= from && since > before.moment && since <= last
  const writes = [
    ...present.filter(matchesPath),
    ...pastWrites(store, ino, from, before.moment).filter(matchesPath),
  ].sort((a, b) => a.since - b.since || a.offset - b.offset)
  let index = 0
  const ofVersions = versions.map(({ moment }) => {
    const first = index
    while ((writes[index]?.since ?? ALL) <= moment) index++
    return writes.slice(first, index)
  })
  return { from, ofVersions }
}

/**
 * Extents that were replaced since, with two reads for each offset, however often it was written.
 */
function pastWrites(store: Store, ino: number, from: number, moment: number): Write[] {
  const found: Write[] = []
  for (let start = from; ; ) {
    const range = { gte: [ino, start], lt: [ino + 1], limit: 1 }
    const [next] = store.project(extentPast, WRITE_COLUMNS, range)
    if (next === undefined) return found
    const { offset } = next
    const newer = { gte: [ino, offset, moment + 1], lt: [ino, offset + 1], limit: ALL }
    found.push(...store.project(extentPast, WRITE_COLUMNS, newer))
    start = offset + 1
  }
}

/**
 * The bytes of writes; undefined where one is not there any more. Throws EIO where it is damaged.
 */
export function bytesOfWrites(
  core: Core,
  rows: RowsAhead,
  writes: readonly Write[],
  size: number,
): Written[] | undefined {
  const written: Written[] = []
  for (const write of writes) {
    const { offset } = write
    const row = rows.extentOf(write)
    if (row === undefined) return undefined
    verifyInline(row)
    const end = Math.min(size, offset + row.length)
    if (end <= offset) continue
    const parts: Uint8Array[] = []
    readExtents(core, [row], offset, end, parts)
    const [only, more] = parts
    const bytes = only !== undefined && more === undefined ? only : Buffer.concat(parts)
    written.push({ offset, bytes })
  }
  return written
}
