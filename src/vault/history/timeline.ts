// As-of reads: what the vault held after every change with since <= moment. Each part of a state
// (attributes, names, content, extended attributes, labels) is found separately; unsealed rows
// never show. Reads only.

import { CHUNK_BYTES } from '../../base/limits.ts'
import {
  type EntryPastRow,
  type EntryRow,
  type ExtentRow,
  entry,
  entryPast,
  extentPast,
  type InodeRow,
  inodePast,
  inode as inodes,
  type Key,
  xattr,
  xattrPast,
} from '../../store/collections.ts'
import { rowsOn, scanPages } from '../../store/pages.ts'
import { ALL } from '../../store/store.ts'
import { readContent, readExtents } from '../content/content.ts'
import { scanExtents, verifyInline } from '../content/extents.ts'
import type { Core } from '../core/core.ts'
import { ROOT_INO, toRow } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import { findEntry } from '../tree/directory.ts'
import { findInode } from '../tree/inodes.ts'
import { neighboursOf } from '../tree/neighbours.ts'
import { tagsAt, toXdgTags, XDG_TAGS } from '../tree/tags.ts'
import { isBrief } from './lifetimes.ts'
import { extentsOf, knownState, pastRowAt, readAhead } from './past-states.ts'

/** Rows read at a time. */
const PAGE_ROWS = 256

/**
 * The first moment of which anything is known: the creation of the vault, or later after a prune.
 */
export function birthOf(core: Core): Moment {
  const [first] = core.overlay.scan(inodePast, { gte: [ROOT_INO], lt: [ROOT_INO + 1], limit: 1 })
  return first?.since ?? core.overlay.get(inodes, [ROOT_INO])?.since ?? 0
}

/** Makes what is read as of a moment part of history, so that later changes do not overwrite it. */
function observe(core: Core, moment: Moment): void {
  if (moment > core.moments.barrier) core.moments.observe()
}

/** The inode's row as of a moment; undefined when it had no complete state then. */
export function inodeAt(core: Core, ino: number, moment: Moment): InodeRow | undefined {
  observe(core, moment)
  const known = knownState(core, ino, moment)
  if (known !== undefined) return known.row
  const present = findInode(core, ino)
  if (present !== undefined && present.since <= moment && present.nlink > 0) return toRow(present)
  return pastRowAt(core, ino, moment)
}

/**
 * The entry of that name as of a moment; undefined also when its inode had no complete state then.
 * Names that lived under a second are omitted unless `passing`.
 */
export function entryAt(
  core: Core,
  parent: number,
  name: string,
  moment: Moment,
  passing = false,
): EntryRow | undefined {
  observe(core, moment)
  const present = findEntry(core, parent, name)
  const row =
    present !== undefined && present.since <= moment
      ? present
      : pastEntryAt(core, parent, name, moment, passing)
  return row !== undefined && inodeAt(core, row.ino, moment) !== undefined ? row : undefined
}

function pastEntryAt(
  core: Core,
  parent: number,
  name: string,
  moment: Moment,
  passing: boolean,
): EntryPastRow | undefined {
  const [row] = core.overlay.scan(entryPast, {
    gte: [parent, name],
    lt: [parent, name, moment + 1],
    reverse: true,
    limit: 1,
  })
  if (row === undefined || row.until <= moment) return undefined
  return passing || !isBrief(core, row, moment) ? row : undefined
}

/**
 * Entries of a directory as of a moment, in byte order, at most `limit` after the name `after`.
 * Names that lived under a second are omitted, unless `passing` or a snapshot was taken at that
 * very moment.
 */
export function entriesAt(
  core: Core,
  parent: number,
  moment: Moment,
  after?: string,
  limit = ALL,
  passing = false,
): EntryRow[] {
  const rows: EntryRow[] = []
  for (let from = after; rows.length < limit; ) {
    const wanted = limit - rows.length
    const names = namesAt(core, parent, moment, from, wanted, passing)
    readStates(core, names, moment)
    for (const row of names) if (inodeAt(core, row.ino, moment) !== undefined) rows.push(row)
    if (names.length < wanted) break
    from = names.at(-1)?.name
  }
  return rows
}

/**
 * As `entriesAt`, including entries whose inodes had no complete state then; check with `inodeAt`.
 */
export function namesAt(
  core: Core,
  parent: number,
  moment: Moment,
  after: string | undefined,
  limit: number,
  passing = false,
): EntryRow[] {
  observe(core, moment)
  const from = after === undefined ? '' : `${after}\0`
  const rows: EntryRow[] = []
  const past = pastEntriesAt(core, parent, moment, from, passing)
  let before = past.next().value
  for (const row of presentEntries(core, parent, from)) {
    while (before !== undefined && before.name < row.name && rows.length < limit) {
      rows.push(before)
      before = past.next().value
    }
    if (rows.length >= limit) return rows
    if (row.since <= moment) rows.push(row)
  }
  while (before !== undefined && rows.length < limit) {
    rows.push(before)
    before = past.next().value
  }
  return rows
}

/** Prefetches the past states that names lead to, usually in one scan. */
export function readStates(core: Core, names: readonly EntryRow[], moment: Moment): void {
  const past = names.filter((row) => 'until' in row)
  readAhead(core, past, ({ ino }) => ({ ino, moment }))
}

/**
 * Which of the past inodes that names lead to have a state as of a moment, where that is cheap to
 * tell; reads less than their whole states.
 */
export function statesThere(
  core: Core,
  names: readonly EntryRow[],
  moment: Moment,
): ReadonlySet<number> {
  const past = names.filter((row) => 'until' in row).map(({ ino }) => ino)
  const states = neighboursOf(core, inodePast, ['ino', 'since', 'until'], past)
  const holds = (row: { since: Moment; until: Moment }): boolean =>
    row.since <= moment && moment < row.until
  return new Set(past.filter((ino) => states.get(ino)?.some(holds)))
}

function presentEntries(core: Core, parent: number, from: string): Generator<EntryRow> {
  const range = { gte: [parent, from], lt: [parent + 1] }
  return rowsOn(scanPages(core.overlay, entry, range, PAGE_ROWS))
}

/** Past rows of a directory as of a moment, by name. Skips through names with a long history. */
function* pastEntriesAt(
  core: Core,
  parent: number,
  moment: Moment,
  from: string,
  passing: boolean,
): Generator<EntryPastRow, undefined> {
  for (let gte: Key = [parent, from]; ; ) {
    const rows = core.overlay.scan(entryPast, {
      gte,
      lt: [parent + 1],
      limit: PAGE_ROWS,
    })
    const last = rows[rows.length - 1]
    if (last === undefined) return undefined
    const full = rows.length === PAGE_ROWS
    if (full && rows[0]?.name === last.name) {
      const row = pastEntryAt(core, parent, last.name, moment, passing)
      if (row !== undefined && row.since >= (rows[0] as EntryPastRow).since) yield row
      gte = [parent, `${last.name}\0`]
      continue
    }
    for (const row of rows)
      if (row.since <= moment && row.until > moment && (passing || !isBrief(core, row, moment)))
        yield row
    if (!full) return undefined
    gte = [parent, last.name, last.since + 1]
  }
}

/** Extended attributes as of a moment, including labels (user.xdg.tags). */
export function xattrsAt(core: Core, ino: number, moment: Moment): Map<string, Uint8Array> {
  observe(core, moment)
  const found = new Map<string, Uint8Array>()
  const range = { gte: [ino], lt: [ino + 1], limit: ALL }
  for (const row of core.overlay.scan(xattrPast, range))
    if (row.since <= moment && row.until > moment)
      found.set(row.name, row.value ?? new Uint8Array())
  for (const row of core.overlay.scan(xattr, range))
    if (row.since <= moment) found.set(row.name, row.value ?? new Uint8Array())
  const tags = tagsAt(core, ino, moment)
  if (tags.length > 0) found.set(XDG_TAGS, toXdgTags(tags))
  return found
}

/**
 * The bytes of [offset, offset + size) of a state that `inodeAt` returned for that moment. They are
 * views, valid until the next change. Throws EIO where content is damaged or missing.
 */
export function readAt(
  core: Core,
  row: InodeRow,
  moment: Moment,
  offset: number,
  size: number,
): readonly Uint8Array[] {
  const { ino } = row
  const known = knownState(core, ino, moment)
  const present = known === undefined ? findInode(core, ino) : undefined
  // Unchanged since then.
  if (present !== undefined && present.nlink > 0 && present.since <= moment)
    return readContent(core, present, offset, size)
  const end = Math.min(offset + size, row.size)
  const parts: Uint8Array[] = []
  for (let at = offset; at < end; ) {
    const chunk = Math.floor(at / CHUNK_BYTES)
    const to = Math.min(end, (chunk + 1) * CHUNK_BYTES)
    const load = (): ExtentRow[] => extentsAt(core, ino, chunk, moment)
    const extents = known === undefined ? load() : extentsOf(core, known, chunk, load)
    readExtents(core, extents, at, to, parts)
    at = to
  }
  return parts
}

/** The extents of one chunk as of a moment, by offset. */
export function extentsAt(core: Core, ino: number, chunk: number, moment: Moment): ExtentRow[] {
  const from = chunk * CHUNK_BYTES
  const to = from + CHUNK_BYTES
  const found: ExtentRow[] = []
  for (const row of scanExtents(core, ino, from, to)) if (row.since <= moment) found.push(row)
  const past = core.overlay.scan(extentPast, { gte: [ino, from], lt: [ino, to], limit: PAGE_ROWS })
  if (past.length < PAGE_ROWS) {
    for (const row of past) if (row.since <= moment && row.until > moment) found.push(row)
  } else seekPast(core, ino, from, to, moment, found)
  for (const row of found) verifyInline(row)
  return found.sort((a, b) => a.offset - b.offset)
}

/** Two seeks for each offset, however long its history is. */
function seekPast(
  core: Core,
  ino: number,
  from: number,
  to: number,
  moment: Moment,
  found: ExtentRow[],
): void {
  for (let at = from; at < to; ) {
    const [next] = core.overlay.scan(extentPast, { gte: [ino, at], lt: [ino, to], limit: 1 })
    if (next === undefined) return
    const { offset } = next
    const [row] = core.overlay.scan(extentPast, {
      gte: [ino, offset],
      lt: [ino, offset, moment + 1],
      reverse: true,
      limit: 1,
    })
    if (row !== undefined && row.until > moment) found.push(row)
    at = offset + 1
  }
}
