// The versions of a name: those of every inode it led to, in sequence. So a history continues
// through save by rename (the name gets a new inode), delete and create, and mv of the file (the
// inode gets a new name).
//
// A span is one inode under one name: an entry row. All spans of the name itself count. A file that
// came from another name brings that name's history along, as far back as it was the same file
// there.

import { keptByStep } from '../../base/step.ts'
import {
  type EntryRow,
  entryPast,
  type Fate,
  type InodePastRow,
  inodePast,
  MOVED,
  type NumberingRow,
  numbering as numberings,
  PROVISIONAL,
  RENAMED,
  type VersionRow,
  version,
} from '../../store/collections.ts'
import { pauseWhenDue } from '../../store/pause.ts'
import { ALL } from '../../store/store.ts'
import { type Actor, actorOf } from '../core/actors.ts'
import type { Core } from '../core/core.ts'
import type { Moment } from '../core/moment.ts'
import { BRIEF_MICROS } from '../core/moments.ts'
import { findEntry } from '../tree/directory.ts'
import { findInode } from '../tree/inodes.ts'
import { neighboursOf } from '../tree/neighbours.ts'
import { isDeleted, pastBefore } from './lifetimes.ts'
import { inodeAt } from './timeline.ts'

/** Spans whose rows are read together. */
const TOGETHER = 512
/** An editor that moves a file aside to save deletes the moved file within this time. */
const BACKUP_MICROS = 10 * BRIEF_MICROS

export interface NameVersion {
  /** 1 is the oldest. Numbers are permanent; pruned versions leave gaps. */
  readonly number: number
  /** The inode, and the number of the version in it. */
  readonly ino: number
  readonly version: number
  /** `inodeAt` and `readAt` return this version's content as of this moment. */
  readonly moment: Moment
  readonly size: number
  readonly mtime: number
  readonly mtimeNs: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Who wrote and closed it, or put the file at this name; null when unknown. */
  readonly who: Actor | null
}

/**
 * After so many restarts, because the name got another file meanwhile, counting runs without
 * pauses.
 */
const TRIES = 3

/** The versions of a name, whether or not it exists now, oldest first. */
export function versionsOf(core: Core, parent: number, name: string): NameVersion[] {
  const counting = keptByStep(`versions\0${parent}/${name}`, () => ({
    numbering: new Numbering(core, parent, name),
    of: spanNow(core, parent, name),
    tries: 1,
  }))
  for (;;) {
    if (counting.tries < TRIES) pauseWhenDue()
    // Restart when another file got the name meanwhile.
    const now = spanNow(core, parent, name)
    if (now !== counting.of) {
      counting.numbering = new Numbering(core, parent, name)
      counting.of = now
      counting.tries++
    }
    if (!counting.numbering.step()) return counting.numbering.versions
  }
}

/** Identifies what a name leads to, and since when. */
function spanNow(core: Core, parent: number, name: string): string {
  const row = findEntry(core, parent, name)
  return row === undefined ? '' : `${row.ino}/${row.since}`
}

/** Where the version numbers of one span begin; see NumberingRow. */
type NumberedSpan = Omit<NumberingRow, 'parent' | 'name'>

/** `span` is the entry row that `numbered` is about. */
export interface NumberedEntry {
  readonly numbered: NumberedSpan
  readonly span: EntryRow
}

/** Numbers the versions of a name, a few hundred spans at a time. */
export class Numbering {
  readonly versions: NameVersion[] = []
  readonly spans: NumberedEntry[] = []
  readonly #core: Core
  readonly #own: readonly Span[]
  /** Numbers that prune recorded, by the beginning of their span. */
  readonly #known: ReadonlyMap<Moment, NumberingRow>
  readonly #seen = new Set<string>()
  /** The newest version of each inode that is numbered already. */
  readonly #counted = new Map<number, number>()
  /** For each inode, the span in which its versions were last counted. */
  readonly #first = new Map<number, NumberedSpan>()
  #at = 0
  #numbers = 0

  constructor(core: Core, parent: number, name: string) {
    this.#core = core
    const range = { gte: [parent, name], lt: [parent, `${name}\0`], limit: ALL }
    const known = core.overlay.scan(numberings, range)
    this.#known = new Map(known.map((row) => [row.since, row]))
    this.#own = spansOf(core, parent, name, this.#known)
  }

  /**
   * Numbers some more spans; false at the end. Leaves its state unchanged when it throws a Fault.
   */
  step(): boolean {
    const some = this.#own.slice(this.#at, this.#at + TOGETHER)
    const ahead = readAhead(this.#core, some)
    const seen = new Set<string>()
    const isSeen = (key: string): boolean => this.#seen.has(key) || seen.has(key)
    const counted = new Map<number, number>()
    const counts: (Count & { begins: boolean })[] = []
    for (const span of some)
      for (const [index, its] of lineage(this.#core, span, isSeen, seen, this.#known).entries()) {
        const found = this.#known.get(its.since)
        const from = counted.get(its.ino) ?? this.#counted.get(its.ino) ?? 0
        // The recorded number applies only once the spans that count those versions earlier are
        // pruned.
        const known = found?.ino === its.ino && found.version > from ? found : undefined
        const count = countOf(this.#core, its, ahead, known, from)
        counts.push({ ...count, begins: index === 0 })
        if (count.start <= count.last) counted.set(its.ino, count.last)
      }
    for (const key of seen) this.#seen.add(key)
    for (const [ino, last] of counted) this.#counted.set(ino, last)
    for (const count of counts) this.#take(count)
    this.#at += some.length
    return this.#at < this.#own.length
  }

  #take({ span, known, start, last, rows, begins: isFirst }: Count & { begins: boolean }): void {
    const { ino, since } = span
    const before = known === undefined ? this.#numbers + 1 - start : known.number - known.version
    const replaced = span.replaced ? 1 : 0
    const begins = isFirst ? 1 : 0
    const first = { since, ino, version: start, number: before + start, replaced, begins }
    if (start > last) {
      // The span has no versions of its own. If the spans before it are pruned, this one will count
      // theirs.
      const numbered = { ...(this.#first.get(ino) ?? first), since, replaced, begins }
      this.spans.push({ numbered, span })
      return
    }
    this.#first.set(ino, first)
    this.spans.push({ numbered: first, span })
    for (const row of rows) {
      row.number += before
      this.versions.push(row)
    }
    this.#numbers = Math.max(this.#numbers, before + last)
  }
}

/** What a version inherits from the state in which its span began. */
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

/** Prefetched rows of the inodes of some spans, where they could be read together. */
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

/**
 * An entry row, present ones without an end; `replaced`: the name led to another file just before.
 */
interface Span extends EntryRow {
  readonly until: Moment
  readonly fate?: Fate
  readonly replaced: boolean
}

function spansOf(
  core: Core,
  parent: number,
  name: string,
  known: ReadonlyMap<Moment, NumberingRow>,
): Span[] {
  const rows: (EntryRow & { until: Moment })[] = core.overlay.scan(entryPast, {
    gte: [parent, name],
    lt: [parent, `${name}\0`],
    limit: ALL,
  })
  const present = findEntry(core, parent, name)
  if (present !== undefined) rows.push({ ...present, until: PROVISIONAL })
  // The row of what it replaced may be pruned.
  return rows.map((row, at) => ({
    ...row,
    replaced: rows[at - 1]?.until === row.since || known.get(row.since)?.replaced === 1,
  }))
}

/** What prune recorded for an entry row under its own name. */
function pinned(core: Core, { parent, name, since }: EntryRow): NumberingRow | undefined {
  return core.overlay.get(numberings, [parent, name, since])
}

function spanBefore(core: Core, parent: number, name: string, moment: Moment): Span | undefined {
  const row = pastBefore(core, parent, name, moment)
  if (row === undefined) return undefined
  const replaced =
    pastBefore(core, parent, name, row.since)?.until === row.since ||
    pinned(core, row)?.replaced === 1
  return { ...row, replaced }
}

/**
 * A span and its predecessors that belong to the same file, oldest first, up to the first one
 * already in `seen`; adds them to `seen`.
 */
function lineage(
  core: Core,
  span: Span,
  isSeen: (key: string) => boolean,
  seen: Set<string>,
  known: ReadonlyMap<Moment, NumberingRow>,
): Span[] {
  const found: Span[] = []
  for (let at: Span | undefined = span; at !== undefined; at = precedent(core, at)) {
    const key = `${at.parent}/${at.since}/${at.name}`
    if (isSeen(key)) break
    seen.add(key)
    found.push(at)
    // The span that it replaced comes earlier in the list, and is in `seen`.
    if (at === span && at.replaced) break
    if (known.get(at.since)?.begins === 1) break
  }
  return found.reverse()
}

function precedent(core: Core, span: Span): Span | undefined {
  const { parent, name, since } = span
  if (span.replaced) {
    // What it replaced may be pruned; anything earlier is not part of its history.
    const replaced = spanBefore(core, parent, name, since)
    return replaced?.until === since ? replaced : undefined
  }
  const source = sourceOf(core, span)
  if (source !== undefined) return source
  const before = spanBefore(core, parent, name, since)
  return wasSavedAside(core, before, span) ? before : undefined
}

/** The span of the same inode that ended when this one began: the source of a rename(2). */
function sourceOf(core: Core, span: Span): Span | undefined {
  if (span.origin !== RENAMED) return undefined
  const row = spanBefore(core, span.fromParent, span.fromName, span.since)
  return row?.until === span.since && row.ino === span.ino ? row : undefined
}

/**
 * Whether a span could later be mistaken for a file that was rewritten after the old one was moved
 * aside, once the states of the old one are pruned.
 */
export function mayGrow(core: Core, { parent, name, since }: EntryRow): boolean {
  const before = pastBefore(core, parent, name, since)
  return before?.fate === MOVED && since - before.until < BRIEF_MICROS
}

/** True when the old file was moved aside or deleted to be rewritten: vim, git checkout. */
function wasSavedAside(core: Core, before: Span | undefined, span: Span): boolean {
  if (before === undefined || span.since - before.until >= BRIEF_MICROS) return false
  if (isDeleted(before.fate)) return true
  return (
    before.fate === MOVED && inodeAt(core, before.ino, span.since + BACKUP_MICROS) === undefined
  )
}

type Countable = { -readonly [K in keyof NameVersion]: NameVersion[K] }

/**
 * The versions of one span, with the numbers they have in their inode: `start` to `last`, of which
 * `rows` still exist.
 */
interface Count {
  readonly span: Span
  readonly known: NumberingRow | undefined
  readonly start: number
  readonly last: number
  readonly rows: readonly Countable[]
}

/**
 * Counts the versions of a span. `counted` is the newest one of the inode that is counted already;
 * `start` exceeds `last` when the span adds none.
 */
function countOf(
  core: Core,
  span: Span,
  ahead: Ahead,
  known: NumberingRow | undefined,
  counted: number,
): Count {
  const { ino, since } = span
  // Of a file that replaced another, versions from before that are not part of this name's history.
  const arrived = span.replaced ? stateAtStart(core, span, ahead) : undefined
  const last = lastNumber(core, span, arrived)
  const start = Math.max(1, known?.version ?? firstNumber(core, span, arrived), counted + 1)
  const rows: Countable[] = []
  if (start > last) return { span, known, start, last, rows }
  const range = { gte: [ino, start], lt: [ino, last + 1], limit: ALL }
  for (const row of ahead.versions.get(ino) ?? core.overlay.scan(version, range)) {
    if (row.number < start || row.number > last) continue
    // It is shown as it arrived: editors set the mode after writing.
    const came = arrived !== undefined && row.moment < since && row.number === arrived.versions
    const { mtime, mtimeNs, mode, uid, gid } = came ? arrived : row
    const moment = came ? since : row.moment
    const who = actorOf(core, came ? span.actor : row.actor)
    const { number, size } = row
    rows.push({ number, version: number, ino, moment, size, mtime, mtimeNs, mode, uid, gid, who })
  }
  return { span, known, start, last, rows }
}

/** The version with which a file that replaced another arrived. */
function firstNumber(core: Core, span: Span, arrived: State | undefined): number {
  if (!span.replaced) return 1
  return arrived?.versions ?? newestBefore(core, span.ino, span.since + 1)
}

/** The newest version of the file when the span ended. */
function lastNumber(core: Core, span: Span, arrived: State | undefined): number {
  const { ino, until } = span
  if (until === PROVISIONAL) return findInode(core, ino)?.versions ?? 0
  // The common case: a file that was replaced had not changed since it arrived.
  const end = arrived?.until ?? 0
  const state = end >= until ? arrived : inodeAt(core, ino, until - 1)
  return state?.versions ?? newestBefore(core, ino, until)
}

/** The newest existing version before a moment, for when the state of that moment is pruned. */
function newestBefore(core: Core, ino: number, moment: Moment): number {
  const rows = core.overlay.scan(version, { gte: [ino], lt: [ino + 1], limit: ALL })
  return rows.findLast((row) => row.moment < moment)?.number ?? 0
}
