// What happened in a directory: to its names, and to the attributes and content of the inodes they
// lead to. Newest first and limited, however long the history is.

import { keptByStep } from '../../base/step.ts'
import { pauseWhenDue } from '../../store/pause.ts'
import { type Actor, actorOf } from '../core/actors.ts'
import type { Core } from '../core/core.ts'
import type { Moment } from '../core/moment.ts'
import { below, lastPath } from '../tree/places.ts'
import { type Found, findEvents, type Shown, type Span, type What } from './event-search.ts'

export interface HistoryEvent {
  readonly moment: Moment
  /** The name in the directory, a byte string. */
  readonly path: string
  readonly what: What
  readonly ino: number
  readonly size: number
  /** Who did it; null when unknown. */
  readonly who: Actor | null
  /**
   * For 'renamed': the former name, a byte string; with its whole path ('/d/a') if it was in
   * another directory.
   */
  readonly from?: string
}

/**
 * The events of a directory, newest first, at most `limit`; those of passing names (lifetimes.ts)
 * only with `all`. `shown` filters what the caller may see.
 */
export function historyOf(
  core: Core,
  parent: number,
  limit: number,
  all = false,
  shown?: Shown,
): HistoryEvent[] {
  const found = findEvents(core, parent, limit, all, shown)
  const told = keptByStep<HistoryEvent[]>(`told\0${parent}`, () => [])
  for (let at = told.length; at < found.length; at++) {
    pauseWhenDue()
    told.push(toldOf(core, found[at] as Found, shown))
  }
  return told
}

function toldOf(core: Core, found: Found, shown: Shown | undefined): HistoryEvent {
  const { moment, what, span, size, actor } = found
  const isTold = what === 'renamed' && shown?.from(span.fromParent, moment - 1) !== false
  const from = isTold ? formerName(core, span) : undefined
  return {
    ...{ moment, path: span.name, what, ino: span.ino, size, who: actorOf(core, actor) },
    ...(from === undefined ? {} : { from }),
  }
}

function formerName(core: Core, { parent, fromParent, fromName }: Span): string | undefined {
  return fromParent === parent ? fromName : below(lastPath(core, fromParent), fromName)
}

/** The moments at which a directory changed, newest first, at most `limit`. */
export function changesOf(core: Core, parent: number, limit: number): Moment[] {
  // A rename over a file makes two events at the same moment.
  const moments = findEvents(core, parent, 2 * limit, false).map((event) => event.moment)
  return [...new Set(moments)].slice(0, limit)
}
