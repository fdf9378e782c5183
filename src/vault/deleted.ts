// What was deleted in a directory and is not there now: names whose last row says so, the newest deletion first where a name was
// deleted more than once. Files that moved away or were replaced are not lost and not listed.

import {
  DELETED,
  type EntryPastRow,
  type EntryRow,
  entry,
  entryPast,
  type Key,
} from '../store/collections.ts'
import type { Core } from './core.ts'
import { findEntry } from './directory.ts'
import { isBrief } from './lifetimes.ts'
import type { Moment } from './moments.ts'

const PAGE_ROWS = 1024
const ALL = Number.MAX_SAFE_INTEGER

export interface DeletedEntry {
  /** The name as listed: NAME for the newest deletion, NAME~2 for the one before ... */
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
    for (const its of listed(rows)) {
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
  const rows = core.overlay
    .scan(entryPast, { gte: [parent, own], lt: [parent, `${own}\0`], limit: ALL })
    .filter((row) => row.fate === DELETED && !isBrief(core, row))
  return listed(rows).find((its) => its.name === name)
}

/** NAME~2 is the second deletion of NAME, unless something was called so itself. */
function trueName(core: Core, parent: number, name: string): string {
  const numbered = /^(.*)~[1-9]\d*$/s.exec(name)
  if (numbered === null) return name
  const own = core.overlay.scan(entryPast, {
    gte: [parent, name],
    lt: [parent, `${name}\0`],
    limit: 1,
  })
  return own.length > 0 ? name : (numbered[1] ?? name)
}

function listed(rows: readonly EntryPastRow[]): DeletedEntry[] {
  return [...rows].reverse().map((row, at) => ({
    name: at === 0 ? row.name : `${row.name}~${at + 1}`,
    ino: row.ino,
    until: row.until,
    row,
  }))
}

/** The deletions of each name that is not there now, by name from `from` on; oldest first. */
function* deletedNames(
  core: Core,
  parent: number,
  from: string,
): Generator<EntryPastRow[], undefined> {
  let its: EntryPastRow[] = []
  const there = presentNames(core, parent, from)
  let present = there.next().value
  for (const row of deletions(core, parent, from)) {
    if (its[0] !== undefined && its[0].name !== row.name) {
      yield its
      its = []
    }
    while (present !== undefined && present < row.name) present = there.next().value
    if (present !== row.name && !isBrief(core, row)) its.push(row)
  }
  if (its.length > 0) yield its
  return undefined
}

function* deletions(core: Core, parent: number, from: string): Generator<EntryPastRow> {
  for (let gte: Key = [parent, from]; ; ) {
    const rows = core.overlay.scan(entryPast, { gte, lt: [parent + 1], limit: PAGE_ROWS })
    for (const row of rows) if (row.fate === DELETED) yield row
    const last = rows[rows.length - 1]
    if (last === undefined || rows.length < PAGE_ROWS) return
    gte = [parent, last.name, last.since + 1]
  }
}

function* presentNames(core: Core, parent: number, from: string): Generator<string, undefined> {
  for (let at = from; ; ) {
    const rows: EntryRow[] = core.overlay.scan(entry, {
      gte: [parent, at],
      lt: [parent + 1],
      limit: PAGE_ROWS,
    })
    for (const row of rows) yield row.name
    const last = rows[rows.length - 1]
    if (last === undefined || rows.length < PAGE_ROWS) return undefined
    at = `${last.name}\0`
  }
}
