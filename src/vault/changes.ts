// What happened in a directory: to its names, and to the attributes and content of what they lead to. Newest first, and no
// more than is asked for, however long the history is.

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
} from '../store/collections.ts'
import { type Actor, actorOf } from './actors.ts'
import type { Core } from './core.ts'
import { findInode } from './inodes.ts'
import { isBrief } from './lifetimes.ts'
import type { Moment } from './moments.ts'
import { below, lastPath } from './places.ts'

const ALL = Number.MAX_SAFE_INTEGER

/**
 * 'changed' is a new version, 'attributes' all else of an inode (mode, owner, times, extended attributes, tags); 'moved' is a
 * name that left, 'renamed' one that came by rename(2), 'linked' one more of a file that had one, 'restored' one that was
 * brought back.
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

export interface HistoryEvent {
  readonly moment: Moment
  /** The name in the directory, a byte string. */
  readonly path: string
  readonly what: What
  readonly ino: number
  readonly size: number
  /** Who did it; null when that is not known. */
  readonly who: Actor | null
  /** Of 'renamed': the name before, in the same directory; with its whole path ('/d/a') in another. A byte string. */
  readonly from?: string
}

/** An event as it is found: what is told of few of them is looked up at the end. */
interface Found {
  readonly moment: Moment
  readonly what: What
  readonly span: Span
  readonly size: number
  readonly actor: number
}

const arrivals: Readonly<Record<Origin, What>> = {
  [CREATED]: 'created',
  [RENAMED]: 'renamed',
  [LINKED]: 'linked',
  [RESTORED]: 'restored',
}

/** To whom history is told: what of it, and whence names came. `key` is another for each who is told something else. */
export interface Shown {
  readonly key: string
  /** Something that happened in the directory; `moment` is one at which the name was there. */
  readonly event: (moment: Moment) => boolean
  /** A name that directory `parent` had at a moment. */
  readonly from: (parent: number, moment: Moment) => boolean
}

/**
 * What happened in a directory, newest first, at most `limit`; passing names (lifetimes.ts) only with `all`. `shown`: if not
 * everything is told.
 */
export function historyOf(
  core: Core,
  parent: number,
  limit: number,
  all = false,
  shown?: Shown,
): HistoryEvent[] {
  return findEvents(core, parent, limit, all, shown).map(({ moment, what, span, size, actor }) => {
    const isTold = what === 'renamed' && shown?.from(span.fromParent, moment - 1) !== false
    const from = isTold ? formerName(core, span) : undefined
    return {
      ...{ moment, path: span.name, what, ino: span.ino, size, who: actorOf(core, actor) },
      ...(from === undefined ? {} : { from }),
    }
  })
}

function formerName(core: Core, { parent, fromParent, fromName }: Span): string | undefined {
  return fromParent === parent ? fromName : below(lastPath(core, fromParent), fromName)
}

/** What was found when a read had to wait: the operation runs again from its start, and the search goes on from there. */
const underway = new WeakMap<Core, Map<string, EventSearch>>()
/** Nobody comes back for one that was left for so long. */
const LEFT_MS = 10_000

function findEvents(
  core: Core,
  parent: number,
  limit: number,
  all: boolean,
  shown?: Shown,
): readonly Found[] {
  const searches = underway.get(core) ?? new Map<string, EventSearch>()
  underway.set(core, searches)
  for (const [key, { usedMs }] of searches)
    if (performance.now() - usedMs > LEFT_MS) searches.delete(key)
  const key = `${parent}/${limit}/${all}/${shown?.key}`
  const search = searches.get(key) ?? new EventSearch(core, parent, limit, all, shown)
  searches.set(key, search)
  const events = search.finish()
  searches.delete(key)
  return events
}

class EventSearch {
  usedMs = performance.now()
  readonly #core: Core
  /** Passing names, too. */
  readonly #all: boolean
  readonly #shown: Shown | undefined
  readonly #limit: number
  readonly #spans: readonly Span[]
  #at = 0
  readonly #events: Found[] = []

  constructor(core: Core, parent: number, limit: number, all: boolean, shown?: Shown) {
    this.#core = core
    this.#shown = shown
    this.#all = all
    this.#limit = limit
    this.#spans = spansIn(core, parent)
  }

  /** Goes on from the span that could not be read. */
  finish(): readonly Found[] {
    this.usedMs = performance.now()
    for (; this.#at < this.#spans.length; this.#at++) {
      const span = this.#spans[this.#at] as Span
      const isPast = span.until !== PROVISIONAL
      const isTemporary = !this.#all && isPast && isBrief(this.#core, span as EntryPastRow)
      const events = isTemporary ? [] : eventsOf(this.#core, span, this.#limit)
      for (const event of events) if (this.#isShown(event)) this.#events.push(event)
      // Sorted now and then, so that memory stays bounded.
      if (this.#events.length > 4 * this.#limit + 1000) this.#trim()
    }
    this.#trim()
    return this.#events
  }

  #isShown({ moment, what }: Found): boolean {
    const isOver = what === 'moved' || what === 'deleted'
    return this.#shown?.event(isOver ? moment - 1 : moment) !== false
  }

  #trim(): void {
    this.#events.sort((a, b) => b.moment - a.moment)
    this.#events.length = Math.min(this.#events.length, this.#limit)
  }
}

/** The moments at which something changed in a directory, newest first, at most `limit`. */
export function changesOf(core: Core, parent: number, limit: number): Moment[] {
  // A rename over a file is two events of one moment.
  const moments = findEvents(core, parent, 2 * limit, false).map((event) => event.moment)
  return [...new Set(moments)].slice(0, limit)
}

type Span = EntryPastRow | (EntryRow & { until: Moment; fate: undefined; endedBy: 0 })

/** Every inode under every name of the directory. */
function spansIn(core: Core, parent: number): Span[] {
  const range = { gte: [parent], lt: [parent + 1], limit: ALL }
  const spans: Span[] = [...core.overlay.scan(entryPast, range)]
  for (const row of core.overlay.scan(entry, range))
    spans.push({ ...row, until: PROVISIONAL, fate: undefined, endedBy: 0 })
  return spans
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

/** The states of an inode within a span, newest first; the last is the one it arrived with, unless the limit cuts it off. */
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
