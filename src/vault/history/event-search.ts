// Searches the whole history of a directory for its newest events. That takes long for a large
// directory, so the search pauses for other work (store/pause.ts); its result is the history as of
// when it began, whatever happens meanwhile.

import { keptByStep } from '../../base/step.ts'
import {
  CREATED,
  type EntryPastRow,
  type EntryRow,
  entry,
  entryPast,
  inodePast,
  LINKED,
  MOVED,
  type Origin,
  PROVISIONAL,
  RENAMED,
  REPLACED,
  RESTORED,
} from '../../store/collections.ts'
import { type Pages, scanPages } from '../../store/pages.ts'
import { pauseWhenDue } from '../../store/pause.ts'
import type { Core } from '../core/core.ts'
import type { Moment } from '../core/moment.ts'
import { findInode } from '../tree/inodes.ts'
import { isBrief } from './lifetimes.ts'

/** Spans read at a time. */
const PAGE_ROWS = 512
/** Searches of one vault that are running, or whose results are still valid. */
const SHARED_MAX = 16
/** Results with a higher limit are not shared. */
const SHARED_EVENTS_MAX = 5000

/**
 * 'changed' is a new version; 'attributes' any other change of an inode (mode, owner, times,
 * extended attributes, tags); 'moved' a name that moved away, 'renamed' one that came by rename(2),
 * 'linked' a further name of a file, 'restored' a name that was brought back.
 */
export type What =
  | 'created'
  | 'changed'
  | 'attributes'
  | 'deleted'
  | 'moved'
  | 'renamed'
  | 'linked'
  | 'restored'

/** An event as found; details are looked up only for those that are returned. */
export interface Found {
  readonly moment: Moment
  readonly what: What
  readonly span: Span
  readonly size: number
  readonly actor: number
}

/** One inode under one name of the directory; present ones have no end. */
export type Span = EntryPastRow | (EntryRow & { until: Moment; fate: undefined; endedBy: 0 })

/**
 * What the caller may see of events, and of where names came from. Callers that may see different
 * things have different keys.
 */
export interface Shown {
  readonly key: string
  /** Whether an event in the directory is visible; the name existed at `moment`. */
  readonly event: (moment: Moment) => boolean
  /** Whether a former name in directory `parent` is visible, as of a moment. */
  readonly from: (parent: number, moment: Moment) => boolean
}

const arrivals: Readonly<Record<Origin, What>> = {
  [CREATED]: 'created',
  [RENAMED]: 'renamed',
  [LINKED]: 'linked',
  [RESTORED]: 'restored',
}

const shared = new WeakMap<Core, Map<string, EventSearch>>()

/** `all`: also events of passing names. `shown`: filters what the caller may see. */
interface Asked {
  readonly parent: number
  readonly limit: number
  readonly all: boolean
  readonly shown: Shown | undefined
}

/**
 * The newest events of a directory, at most `limit`. Equal requests with the same `shown` share one
 * search until something changes.
 */
export function findEvents(
  core: Core,
  parent: number,
  limit: number,
  all: boolean,
  shown?: Shown,
): readonly Found[] {
  const key = `events\0${parent}/${limit}/${all}/${shown?.key}`
  const search = keptByStep(key, () => searchOf(core, key, { parent, limit, all, shown }))
  return search.finish()
}

function searchOf(core: Core, key: string, asked: Asked): EventSearch {
  const searches = shared.get(core) ?? new Map<string, EventSearch>()
  shared.set(core, searches)
  for (const [its, { changes }] of searches)
    if (changes !== core.overlay.changes) searches.delete(its)
  const known = searches.get(key)
  if (known !== undefined) return known
  const search = new EventSearch(core, asked)
  if (asked.limit > SHARED_EVENTS_MAX) return search
  const [oldest] = searches.keys()
  if (searches.size >= SHARED_MAX && oldest !== undefined) searches.delete(oldest)
  searches.set(key, search)
  return search
}

class EventSearch {
  /** The state of the overlay when the search began. */
  readonly changes: number
  readonly #core: Core
  readonly #asked: Asked
  readonly #began: Moment
  readonly #present: Pages<EntryRow>
  readonly #past: Pages<EntryPastRow>
  /** Spans that were read but not yet searched. */
  #spans: Span[] = []
  #at = 0
  /** Spans that ended after the search began: they may have been seen as present ones. */
  #ended: Span[] = []
  #events: Found[] = []

  constructor(core: Core, asked: Asked) {
    this.#core = core
    this.#asked = asked
    this.#began = core.moments.last
    this.changes = core.overlay.changes
    const range = { gte: [asked.parent], lt: [asked.parent + 1] }
    this.#present = scanPages(core.overlay, entry, range, PAGE_ROWS)
    this.#past = scanPages(core.overlay, entryPast, range, PAGE_ROWS)
  }

  /** Runs to the end; when called again after a Fault, continues where it stopped. */
  finish(): readonly Found[] {
    // Present entries first: they may become past meanwhile, never the reverse.
    while (this.#look() || this.#readPresent() || this.#readPast());
    if (this.#ended.length > 0) this.#takeEnded()
    this.#trim()
    return this.#events
  }

  /** Searches one span; false when none is left. */
  #look(): boolean {
    const span = this.#spans[this.#at]
    if (span === undefined) return false
    pauseWhenDue()
    const { all, limit } = this.#asked
    const isPast = span.until !== PROVISIONAL
    const isTemporary = !all && isPast && isBrief(this.#core, span as EntryPastRow)
    const events = isTemporary ? [] : eventsOf(this.#core, span, limit)
    this.#events.push(...events.filter((event) => this.#isTold(event)))
    this.#at++
    // Trimmed now and then to bound memory.
    if (this.#events.length > 4 * limit + 1000) this.#trim()
    return true
  }

  #isTold({ moment, what }: Found): boolean {
    if (moment > this.#began) return false
    const isOver = what === 'moved' || what === 'deleted'
    return this.#asked.shown?.event(isOver ? moment - 1 : moment) !== false
  }

  #take(spans: Span[]): void {
    this.#spans = spans
    this.#at = 0
  }

  #readPresent(): boolean {
    const rows = this.#present()
    if (rows === undefined) return false
    this.#take(rows.filter(({ since }) => since <= this.#began).map(present))
    return true
  }

  #readPast(): boolean {
    const rows = this.#past()
    if (rows === undefined) return false
    this.#take(rows.filter(({ until }) => until <= this.#began))
    for (const row of rows)
      if (row.since <= this.#began && row.until > this.#began) this.#ended.push(present(row))
    return true
  }

  #takeEnded(): void {
    const keyOf = ({ name, since }: Span): string => `${since}/${name}`
    const ended = new Set(this.#ended.map(keyOf))
    this.#events = this.#events.filter(({ span }) => !ended.has(keyOf(span)))
    this.#take(this.#ended)
    this.#ended = []
    while (this.#look());
  }

  #trim(): void {
    this.#events.sort(inOrder)
    this.#events.length = Math.min(this.#events.length, this.#asked.limit)
  }
}

/**
 * Newest first; at the same moment, events of ended spans before those of present ones, then by
 * name.
 */
function inOrder(a: Found, b: Found): number {
  const byMoment = b.moment - a.moment
  if (byMoment !== 0 || a.span === b.span) return byMoment
  const isPresent = ({ until }: Span): number => (until === PROVISIONAL ? 1 : 0)
  const byEnd = isPresent(a.span) - isPresent(b.span)
  if (byEnd !== 0) return byEnd
  if (a.span.name !== b.span.name) return a.span.name < b.span.name ? -1 : 1
  return a.span.since - b.span.since
}

function present(row: EntryRow): Span {
  return { ...row, until: PROVISIONAL, fate: undefined, endedBy: 0 }
}

interface State {
  readonly since: Moment
  readonly versions: number
  readonly size: number
  readonly actor: number
}

function eventsOf(core: Core, span: Span, limit: number): Found[] {
  const { since, until } = span
  const events: Found[] = []
  const states = statesOf(core, span, limit)
  states.forEach((state, at) => {
    const before = states[at + 1]
    if (state.since > since && before !== undefined) {
      const what = state.versions > before.versions ? 'changed' : 'attributes'
      events.push({ moment: state.since, what, span, size: state.size, actor: state.actor })
    } else if (before === undefined || state.since <= since) {
      // A file appears in history once it is complete, not before.
      const isLate = state.since > since
      const moment = isLate ? state.since : since
      const actor = isLate ? state.actor : span.actor
      events.push({ moment, what: arrivals[span.origin], span, size: state.size, actor })
    }
  })
  const [last] = states
  if (last !== undefined && until !== PROVISIONAL && span.fate !== REPLACED)
    events.unshift({
      moment: until,
      what: span.fate === MOVED ? 'moved' : 'deleted',
      span,
      size: last.size,
      actor: span.endedBy,
    })
  return events
}

/**
 * The states of an inode within a span, newest first; the last is the one it arrived with, unless
 * the limit cuts it off.
 */
function statesOf(core: Core, span: Span, limit: number): State[] {
  const { ino, since, until } = span
  const states: State[] = []
  const present = findInode(core, ino)
  if (present !== undefined && present.since < until && present.nlink > 0) states.push(present)
  if (present !== undefined && present.since <= since) return states
  for (const row of core.overlay.scan(inodePast, {
    gte: [ino],
    lt: [ino, until],
    reverse: true,
    limit: limit + 1,
  })) {
    states.push(row)
    if (row.since <= since) break
  }
  return states
}
