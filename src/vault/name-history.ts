// The versions of a name: those of every inode it led to, one after the other. So a history goes on through save by rename
// (the name gets a new inode), through delete and create, and through mv of the file (the inode gets a new name).
//
// A span is one inode under one name, an entry row. Spans of the name itself all count. A file that came from another name
// brings that name's history along, as far back as it was the same file there.

import {
  type EntryRow,
  entryPast,
  type Fate,
  type InodePastRow,
  inodePast,
  MOVED,
  PROVISIONAL,
  RENAMED,
  type VersionRow,
  version,
} from '../store/collections.ts'
import { type Actor, actorOf } from './actors.ts'
import type { Core } from './core.ts'
import { findEntry } from './directory.ts'
import { findInode } from './inodes.ts'
import { isDeleted, pastBefore } from './lifetimes.ts'
import { BRIEF_MICROS, type Moment } from './moments.ts'
import { neighboursOf } from './neighbours.ts'
import { inodeAt } from './timeline.ts'

const ALL = Number.MAX_SAFE_INTEGER
/** Spans of which rows are read together. */
const TOGETHER = 512
/** An editor that moves a file aside to save deletes what it moved within this. */
const BACKUP_MICROS = 10 * BRIEF_MICROS

export interface NameVersion {
  /** 1 is the oldest. Numbers stay; what is pruned leaves gaps. */
  readonly number: number
  readonly ino: number
  /** As of when `inodeAt` and `readAt` give this version's content. */
  readonly moment: Moment
  readonly size: number
  readonly mtime: number
  readonly mtimeNs: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Who made it what it is there: wrote and closed it, or put the file in this place. Null when that is not known. */
  readonly who: Actor | null
}

/** The versions of a name, there or not, oldest first. */
export function versionsOf(core: Core, parent: number, name: string): NameVersion[] {
  const found: NameVersion[] = []
  const seen = new Set<string>()
  /** The newest version of each inode that has a number already. */
  const counted = new Map<number, number>()
  let numbers = 0
  const spans = spansOf(core, parent, name)
  for (let at = 0; at < spans.length; at += TOGETHER) {
    const some = spans.slice(at, at + TOGETHER)
    const ahead = readAhead(core, some)
    for (const span of some)
      for (const its of lineage(core, span, seen))
        numbers = count(core, its, ahead, counted, numbers, found)
  }
  return found
}

/** What a version takes over from the state in which its span began. */
const STATE_FIELDS = [
  'ino',
  'since',
  'until',
  'versions',
  'mtime',
  'mtimeNs',
  'mode',
  'uid',
  'gid',
] as const
type State = Pick<InodePastRow, (typeof STATE_FIELDS)[number]>

/** Rows of the inodes of some spans, as far as they could be read together. */
interface Ahead {
  readonly states: ReadonlyMap<number, readonly State[]>
  readonly versions: ReadonlyMap<number, readonly VersionRow[]>
}

function readAhead(core: Core, spans: readonly Span[]): Ahead {
  const inos = spans.map(({ ino }) => ino)
  return {
    states: neighboursOf(core, inodePast, STATE_FIELDS, inos),
    versions: neighboursOf(core, version, version.fields, inos),
  }
}

/** The state in which a span began. */
function stateAtStart(core: Core, { ino, since }: Span, { states }: Ahead): State | undefined {
  const holds = (state: State): boolean => state.since <= since && since < state.until
  const past = states.get(ino)?.find(holds)
  if (past !== undefined) return past
  const row = inodeAt(core, ino, since)
  return row && { until: 0, ...row }
}

/** An entry row, present ones without an end; `replaced`: the name led to another file until it began. */
interface Span extends EntryRow {
  readonly until: Moment
  readonly fate?: Fate
  readonly replaced: boolean
}

function spansOf(core: Core, parent: number, name: string): Span[] {
  const rows: (EntryRow & { until: Moment })[] = core.overlay.scan(entryPast, {
    gte: [parent, name],
    lt: [parent, `${name}\0`],
    limit: ALL,
  })
  const present = findEntry(core, parent, name)
  if (present !== undefined) rows.push({ ...present, until: PROVISIONAL })
  return rows.map((row, at) => ({ ...row, replaced: rows[at - 1]?.until === row.since }))
}

function spanBefore(core: Core, parent: number, name: string, moment: Moment): Span | undefined {
  const row = pastBefore(core, parent, name, moment)
  if (row === undefined) return undefined
  return { ...row, replaced: pastBefore(core, parent, name, row.since)?.until === row.since }
}

/** A span and those before it that are the same file's, oldest first, without what was seen already. */
function lineage(core: Core, span: Span, seen: Set<string>): Span[] {
  const found: Span[] = []
  for (let at: Span | undefined = span; at !== undefined; at = precedent(core, at)) {
    const key = `${at.parent}/${at.since}/${at.name}`
    if (seen.has(key)) break
    seen.add(key)
    found.push(at)
    // What it replaced was the span before it, which was seen.
    if (at === span && at.replaced) break
  }
  return found.reverse()
}

function precedent(core: Core, span: Span): Span | undefined {
  const { parent, name, since } = span
  if (span.replaced) return spanBefore(core, parent, name, since)
  const source = sourceOf(core, span)
  if (source !== undefined) return source
  const before = spanBefore(core, parent, name, since)
  return wasSavedAside(core, before, span) ? before : undefined
}

/** The span that ended when this one began, of the same inode: what rename(2) moved here. */
function sourceOf(core: Core, span: Span): Span | undefined {
  if (span.origin !== RENAMED) return undefined
  const row = spanBefore(core, span.fromParent, span.fromName, span.since)
  return row?.until === span.since && row.ino === span.ino ? row : undefined
}

/** True when a file was moved aside or deleted to be written anew: vim, git checkout. */
function wasSavedAside(core: Core, before: Span | undefined, span: Span): boolean {
  if (before === undefined || span.since - before.until >= BRIEF_MICROS) return false
  if (isDeleted(before.fate)) return true
  return (
    before.fate === MOVED && inodeAt(core, before.ino, span.since + BACKUP_MICROS) === undefined
  )
}

/** Numbers the versions of one span, and appends those that are there. Returns the last number given. */
function count(
  core: Core,
  span: Span,
  ahead: Ahead,
  counted: Map<number, number>,
  numbers: number,
  found: NameVersion[],
): number {
  const { ino, since } = span
  // Of a file that took another's place, what it was before it did is not the name's.
  const arrived = span.replaced ? stateAtStart(core, span, ahead) : undefined
  const last = lastNumber(core, span, arrived)
  const start = Math.max(1, arrived?.versions ?? 0, (counted.get(ino) ?? 0) + 1)
  if (start > last) return numbers
  counted.set(ino, last)
  const range = { gte: [ino, start], lt: [ino, last + 1], limit: ALL }
  for (const row of ahead.versions.get(ino) ?? core.overlay.scan(version, range)) {
    if (row.number < start || row.number > last) continue
    const number = numbers + row.number - start + 1
    // It is shown as it arrived: editors set the mode after they wrote.
    const came = row.moment < since && row.number === arrived?.versions
    const { mtime, mtimeNs, mode, uid, gid } = came ? arrived : row
    const moment = came ? since : row.moment
    const who = actorOf(core, came ? span.actor : row.actor)
    found.push({ number, ino, moment, size: row.size, mtime, mtimeNs, mode, uid, gid, who })
  }
  return numbers + last - start + 1
}

/** The newest version that a file had when the span ended. */
function lastNumber(core: Core, span: Span, arrived: State | undefined): number {
  const { ino, until } = span
  if (until === PROVISIONAL) return findInode(core, ino)?.versions ?? 0
  // As a rule a file that another one replaced is still what it was when it came.
  const end = arrived?.until ?? 0
  return (end >= until ? arrived : inodeAt(core, ino, until - 1))?.versions ?? 0
}
