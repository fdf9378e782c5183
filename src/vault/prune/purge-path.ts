// Everything that was ever at a path or below it: which inodes, until when, under which names. A
// directory counts with its entries while it was there; what was added after it had moved away is
// not touched.

import { DT_DIR } from '../../base/mode.ts'
import { type EntryPastRow, entry, entryPast, type Key } from '../../store/collections.ts'
import type { Core } from '../core/core.ts'
import { ROOT_INO } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import { walkRows } from '../core/rows.ts'
import type { Slices } from '../core/time-slices.ts'
import { namesOf } from '../history/paths.ts'

/** `until` of what exists now. */
export const NOW = Number.POSITIVE_INFINITY

const FIELDS = ['parent', 'name', 'ino', 'type', 'since'] as const

type Name = Pick<EntryPastRow, (typeof FIELDS)[number] | 'until'>

interface EverAt {
  /** Files and directories, and the moment before which they were there. */
  readonly until: ReadonlyMap<number, Moment>
  /** Keys of the past names. */
  readonly names: readonly Key[]
}

/** All that was ever at or below a path. Sees durable rows only; see rows.ts. */
export async function everAt(core: Core, path: string, slices: Slices): Promise<EverAt> {
  const until = new Map<number, Moment>()
  const names: Key[] = []
  const seen = new Set<string>()
  const below: Name[] = await tops(core, path, slices)
  for (let row = below.pop(); row !== undefined; row = below.pop()) {
    const place = `${row.parent}/${row.name}/${row.since}`
    const span = `${place}/${row.until}`
    if (seen.has(span)) continue
    seen.add(span)
    if (row.until !== NOW && !seen.has(place)) names.push([row.parent, row.name, row.since])
    seen.add(place)
    until.set(row.ino, Math.max(until.get(row.ino) ?? 0, row.until))
    if (row.type === DT_DIR) below.push(...(await within(core, row, undefined, slices)))
  }
  return { until, names }
}

/** The inodes that were at the path itself. */
async function tops(core: Core, path: string, slices: Slices): Promise<Name[]> {
  let found: Name[] = [
    { parent: ROOT_INO, name: '', ino: ROOT_INO, type: DT_DIR, since: 0, until: NOW },
  ]
  for (const name of namesOf(path)) {
    const next: Name[] = []
    for (const directory of found)
      if (directory.type === DT_DIR) next.push(...(await within(core, directory, name, slices)))
    found = next
  }
  return found
}

/**
 * The entries of a directory (all, or one name) while it was at its place; `until` is cut to that
 * time.
 */
async function within(
  core: Core,
  directory: Name,
  name: string | undefined,
  slices: Slices,
): Promise<Name[]> {
  const { ino } = directory
  // No name contains a NUL: this is the end of the rows of one name.
  const range =
    name === undefined
      ? { gte: [ino], lt: [ino + 1] }
      : { gte: [ino, name], lt: [ino, `${name}\0`] }
  const { store } = core.overlay
  const rows: Name[] = []
  const take = (row: Name): void => {
    if (row.since >= directory.until || row.until <= directory.since) return
    rows.push({ ...row, until: Math.min(row.until, directory.until) })
  }
  for await (const row of walkRows(store, entry, FIELDS, range, slices))
    take({ ...row, until: NOW })
  for await (const row of walkRows(store, entryPast, [...FIELDS, 'until'], range, slices)) take(row)
  return rows
}
