// What happened in a directory: to its names, and to the attributes and content of what they lead to. Newest first, and no
// more than is asked for, however long the history is.

import {
  type EntryPastRow,
  type EntryRow,
  entry,
  entryPast,
  inodePast,
  MOVED,
  PROVISIONAL,
  REPLACED,
  version,
} from '../store/collections.ts'
import type { Core } from './core.ts'
import { findInode } from './inodes.ts'
import { isBrief } from './lifetimes.ts'
import type { Moment } from './moments.ts'

const ALL = Number.MAX_SAFE_INTEGER

/** 'changed' is a new version, 'attributes' all else of an inode; 'moved' is a name that left, 'renamed' one that came. */
export type What = 'created' | 'changed' | 'attributes' | 'deleted' | 'moved' | 'renamed'

export interface HistoryEvent {
  readonly moment: Moment
  /** The name in the directory, a byte string. */
  readonly path: string
  readonly what: What
  readonly ino: number
  readonly size: number
}

/** What happened in a directory, newest first, at most `limit`. */
export function historyOf(core: Core, parent: number, limit: number): HistoryEvent[] {
  const events: HistoryEvent[] = []
  const trim = (): void => {
    events.sort((a, b) => b.moment - a.moment)
    events.length = Math.min(events.length, limit)
  }
  for (const span of spansIn(core, parent)) {
    for (const event of eventsOf(core, span, limit)) events.push(event)
    // Sorted now and then, so that memory stays bounded.
    if (events.length > 4 * limit + 1000) trim()
  }
  trim()
  return events
}

/** The moments at which something changed in a directory, newest first, at most `limit`. */
export function changesOf(core: Core, parent: number, limit: number): Moment[] {
  // A rename over a file is two events of one moment.
  const moments = historyOf(core, parent, 2 * limit).map((event) => event.moment)
  return [...new Set(moments)].slice(0, limit)
}

type Span = EntryPastRow | (EntryRow & { until: Moment; fate: undefined })

/** Every inode under every name of the directory, temporary names left out. */
function* spansIn(core: Core, parent: number): Generator<Span> {
  const range = { gte: [parent], lt: [parent + 1], limit: ALL }
  for (const row of core.overlay.scan(entryPast, range)) if (!isBrief(core, row)) yield row
  for (const row of core.overlay.scan(entry, range))
    yield { ...row, until: PROVISIONAL, fate: undefined }
}

interface State {
  readonly since: Moment
  readonly versions: number
  readonly size: number
}

function eventsOf(core: Core, span: Span, limit: number): HistoryEvent[] {
  const { ino, since, until, name: path } = span
  const events: HistoryEvent[] = []
  const states = statesOf(core, span, limit)
  states.forEach((state, at) => {
    const before = states[at + 1]
    if (state.since > since && before !== undefined) {
      const what = state.versions > before.versions ? 'changed' : 'attributes'
      events.push({ moment: state.since, path, what, ino, size: state.size })
    } else if (before === undefined || state.since <= since) {
      // A file is there as soon as it is complete, and not before.
      const moment = Math.max(since, state.since)
      const what = isNew(core, ino, moment) ? 'created' : 'renamed'
      events.push({ moment, path, what, ino, size: state.size })
    }
  })
  const [last] = states
  if (last !== undefined && until !== PROVISIONAL && span.fate !== REPLACED)
    events.unshift({
      moment: until,
      path,
      what: span.fate === MOVED ? 'moved' : 'deleted',
      ino,
      size: last.size,
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

/** True when an inode became complete at that moment for the first time. */
function isNew(core: Core, ino: number, moment: Moment): boolean {
  const [first] = core.overlay.scan(inodePast, { gte: [ino], lt: [ino + 1], limit: 1 })
  const [earliest] = core.overlay.scan(version, { gte: [ino], lt: [ino + 1], limit: 1 })
  return (first === undefined || first.since >= moment) && (earliest?.moment ?? moment) >= moment
}
