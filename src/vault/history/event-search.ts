// Looks through all that happened in a directory for the newest of it. A large directory takes
// long, so that others go on in between (store/pause.ts): what is found is the history as of when
// the search began, whatever happens meanwhile.

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
/** Searches of one vault that are under way, or that are good until something happens. */
const SHARED_MAX = 16
/** Longer ones are not kept for others. */
const SHARED_EVENTS_MAX = 5000

/**
 * 'changed' is a new version, 'attributes' all else of an inode (mode, owner, times, extended
 * attributes, tags); 'moved' is a name that left, 'renamed' one that came by rename(2), 'linked'
 * one more of a file that had one, 'restored' one that was brought back.
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

/** An event as it is found: what is told of few of them is looked up at the end. */
export interface Found {
  readonly moment: Moment
  readonly what: What
  readonly span: Span
  readonly size: number
  readonly actor: number
}

/** An inode under a name of the directory; present ones without an end. */
export type Span = EntryPastRow | (EntryRow & { until: Moment; fate: undefined; endedBy: 0 })

/**
 * To whom events are told: what of them, and whence names came. `key` is another for each who is
 * told something else.
 */
export interface Shown {
  readonly key: string
  /** Something that happened in the directory; `moment` is one at which the name was there. */
  readonly event: (moment: Moment) => boolean
  /** A name that directory `parent` had at a moment. */
  readonly from: (parent: number, moment: Moment) => boolean
}

const arrivals: Readonly<Record<Origin, What>> = {
  [CREATED]: 'created',
  [RENAMED]: 'renamed',
  [LINKED]: 'linked',
  [RESTORED]: 'restored',
}

const shared = new WeakMap<Core, Map<string, EventSearch>>()

/** `all`: events of passing names, too. `shown`: if not everything is told. */
interface Asked {
  readonly parent: number
  readonly limit: number
  readonly all: boolean
  readonly shown: Shown | undefined
}

/**
 * The newest events of a directory, at most `limit`. Whoever asks the same, and is told the same,
 * before anything has happened shares one search.
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
  /** What was known of rows when it began. */
  readonly changes: number
  readonly #core: Core
  readonly #asked: Asked
  readonly #began: Moment
  readonly #present: Pages<EntryRow>
  readonly #past: Pages<EntryPastRow>
  /** Spans that are read and not looked at. */
  #spans: Span[] = []
  #at = 0
  /** Those that ended since it began: they may have been met as present ones. */
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

  /** Goes on from where a Fault ended it. */
  finish(): readonly Found[] {
    // What is present first: it may become past meanwhile, and never the other way.
    while (this.#look() || this.#readPresent() || this.#readPast());
    if (this.#ended.length > 0) this.#takeEnded()
    this.#trim()
    return this.#events
  }

  /** Looks at one span; false when there is none. */
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
    // Sorted now and then, so that memory stays bounded.
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

/** Newest first; of one moment what ended before what came, by name. */
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
      // A file is there as soon as it is complete, and not before.
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
