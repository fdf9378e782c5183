// What was deleted in a directory and is not there now: names whose last row says so, the newest deletion first where a name was
// deleted more than once. Files that moved away or were replaced are not lost and not listed.

import { NAME_BYTES_MAX } from '../base/limits.ts'
import { cutName } from '../base/names.ts'
import { type EntryPastRow, entry, entryPast, type Key } from '../store/collections.ts'
import type { Core } from './core.ts'
import { findEntry } from './directory.ts'
import { isBrief, isDeleted } from './lifetimes.ts'
import type { Moment } from './moments.ts'

const PAGE_ROWS = 1024
const ALL = Number.MAX_SAFE_INTEGER
/** Numbers from here on are moments: a name is not deleted so often. */
const FIRST_MOMENT = 1e9

export interface DeletedEntry {
  /**
   * The name as listed: NAME for the newest deletion, NAME~2 for the one before ... Where that is longer than a name may be, its
   * beginning and the moment of the deletion.
   */
  readonly name: string
  readonly ino: number
  /** When it was deleted: its latest state is the one as of `until - 1`. */
  readonly until: Moment
  readonly row: EntryPastRow
}

/** Deleted names in byte order of the true names, after the listed name `after`, at most `limit`. */
export function deletedIn(core: Core, parent: number, after?: string, limit = ALL): DeletedEntry[] {
  const found: DeletedEntry[] = []
  let passed = after === undefined
  const from = after === undefined ? '' : trueName(core, parent, after)
  for (const rows of deletedNames(core, parent, from)) {
    for (const its of listed(core, rows)) {
      if (passed) found.push(its)
      else if (its.name === after) passed = true
      if (found.length >= limit) return found
    }
    // `after` itself is gone meanwhile.
    passed = true
  }
  return found
}

/** The deleted entry that is listed under a name, or undefined. */
export function findDeleted(core: Core, parent: number, name: string): DeletedEntry | undefined {
  const own = trueName(core, parent, name)
  if (findEntry(core, parent, own) !== undefined) return undefined
  return deletionsOf(core, parent, own).find((its) => its.name === name)
}

/** The last deletion of a name, of a passing one too, which is not listed; undefined when it is there or never was deleted. */
export function lastDeleted(core: Core, parent: number, name: string): EntryPastRow | undefined {
  if (findEntry(core, parent, name) !== undefined) return undefined
  return rowsOf(core, parent, name).findLast((row) => isDeleted(row.fate))
}

/** What the deletions of a name are listed as while it is not there. */
export function deletedAs(core: Core, parent: number, name: string): string[] {
  return deletionsOf(core, parent, name).map((its) => its.name)
}

function deletionsOf(core: Core, parent: number, name: string): DeletedEntry[] {
  const rows = rowsOf(core, parent, name)
  return listed(
    core,
    rows.filter((row) => isDeleted(row.fate) && !isBrief(core, row)),
  )
}

function rowsOf(core: Core, parent: number, name: string): EntryPastRow[] {
  const range = { gte: [parent, name], lt: [parent, `${name}\0`], limit: ALL }
  return core.overlay.scan(entryPast, range)
}

/** NAME~2 is the second deletion of NAME, unless something was called so itself. */
function trueName(core: Core, parent: number, name: string): string {
  const numbered = /^(.*)~([1-9]\d*)$/s.exec(name)
  if (numbered === null || wasName(core, parent, name)) return name
  const [, begin = '', number = ''] = numbered
  return cutFrom(core, parent, begin, Number(number)) ?? begin
}

/** The name that was too long for a number, from its beginning and the moment at which it was deleted. */
function cutFrom(core: Core, parent: number, begin: string, until: Moment): string | undefined {
  if (until < FIRST_MOMENT) return undefined
  const last = begin + '\xff'.repeat(NAME_BYTES_MAX - begin.length)
  const rows = core.overlay.scan(entryPast, {
    gte: [parent, begin],
    lt: [parent, last],
    limit: ALL,
  })
  return rows.find((row) => row.until === until)?.name
}

function listedAs(name: string, number: number, until: Moment): string {
  const numbered = `${name}~${number}`
  if (numbered.length <= NAME_BYTES_MAX) return numbered
  const suffix = `~${until}`
  return cutName(name, NAME_BYTES_MAX - suffix.length) + suffix
}

function wasName(core: Core, parent: number, name: string): boolean {
  const range = { gte: [parent, name], lt: [parent, `${name}\0`], limit: 1 }
  return core.overlay.scan(entryPast, range).length > 0
}

/** The deletions of one name as they are listed, oldest first in `rows`. */
function listed(core: Core, rows: readonly EntryPastRow[]): DeletedEntry[] {
  let number = 1
  return [...rows].reverse().map((row, at) => {
    const { parent, ino, until } = row
    let { name } = row
    if (at > 0) {
      do number++
      while (wasName(core, parent, `${row.name}~${number}`))
      name = listedAs(row.name, number, until)
    }
    return { name, ino, until, row }
  })
}

/** The deletions of each name that is not there now, by name from `from` on; oldest first. */
function* deletedNames(core: Core, parent: number, from: string): Generator<EntryPastRow[]> {
  let its: EntryPastRow[] = []
  for (let gte: Key = [parent, from]; ; ) {
    const rows = core.overlay.scan(entryPast, { gte, lt: [parent + 1], limit: PAGE_ROWS })
    const isThere = presence(core, parent, rows)
    for (const row of rows) {
      if (its[0] !== undefined && its[0].name !== row.name) {
        yield its
        its = []
      }
      if (isDeleted(row.fate) && !isThere(row.name) && !isBrief(core, row)) its.push(row)
    }
    const last = rows[rows.length - 1]
    if (last === undefined || rows.length < PAGE_ROWS) break
    gte = [parent, last.name, last.since + 1]
  }
  if (its.length > 0) yield its
}

/** Tells of the names of a page whether they are there now: read at once where few others lie between them. */
function presence(
  core: Core,
  parent: number,
  rows: readonly EntryPastRow[],
): (name: string) => boolean {
  const present = core.overlay.scan(entry, {
    gte: [parent, rows[0]?.name ?? ''],
    lt: [parent, `${rows[rows.length - 1]?.name ?? ''}\0`],
    limit: PAGE_ROWS,
  })
  if (present.length >= PAGE_ROWS) return (name) => findEntry(core, parent, name) !== undefined
  const names = new Set(present.map(({ name }) => name))
  return (name) => names.has(name)
}
