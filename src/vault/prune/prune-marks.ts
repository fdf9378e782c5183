// What prune must know about names before it examines single inodes: which versions are the newest
// of each name, and what is held by its path. One walk over all names; memory grows with the inodes
// it finds anything about.

import { DT_DIR } from '../../base/mode.ts'
import { withinRule } from '../../base/path-rule.ts'
import { inodePast, inode as inodes, version } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Core } from '../core/core.ts'
import { cycleCheck } from '../core/cycles.ts'
import type { Moment } from '../core/moment.ts'
import type { Slices } from '../core/time-slices.ts'
import { namesOf } from '../history/paths.ts'
import { type NameGroup, walkNames } from '../tree/name-walk.ts'
import { LastPlaces } from '../tree/places.ts'
import { listHolds } from './holds.ts'
import type { Rules } from './retention.ts'

const PAGE_ROWS = 64

export interface Marks {
  /**
   * Inode -> the moment of the oldest version that keep.versions keeps. The newest version of an
   * existing file is always kept.
   */
  readonly oldest: Map<number, Moment>
  /**
   * Inode -> moments whose state stays: when the inode took a name under which one of its versions
   * is kept; of a deleted directory, just before a kept name in it was removed.
   */
  readonly moments: Map<number, Moment[]>
  /** Deleted inodes, mostly directories, whose last state is needed by a name that stays. */
  readonly gone: Set<number>
  /** Inodes that were ever at a held path. */
  readonly held: Set<number>
  /** Held paths. */
  readonly holds: readonly string[]
  /** Whether a name in a directory, or a directory above it, is held. */
  isHeld(parent: number, name: string): boolean
}

/** Marks for a run without rules for names and without holds. */
export const NO_MARKS: Marks = {
  oldest: new Map(),
  moments: new Map(),
  gone: new Set(),
  held: new Set(),
  holds: [],
  isHeld: () => false,
}

/** Walks all names if rules or holds depend on them. `now` in microseconds. */
export async function markNames(
  core: Core,
  rules: Rules,
  now: Moment,
  slices: Slices,
): Promise<Marks> {
  const holds = (await retryUntilLoaded(() => listHolds(core)))
    .filter(({ moment }) => moment === 0)
    .map(({ name }) => name)
  const held = new Set<number>()
  const marks: Marks = {
    oldest: new Map(),
    moments: new Map(),
    gone: new Set(),
    held,
    holds,
    isHeld: holds.length === 0 ? NO_MARKS.isHeld : heldBy(core, holds, held),
  }
  if (rules.versions === undefined && holds.length === 0) return marks
  const forgotten = rules.deletedMs === undefined ? 0 : now - rules.deletedMs * 1000
  for await (const group of walkNames(core, slices)) {
    const isForgotten =
      group.present === undefined && group.pasts.every(({ until }) => until <= forgotten)
    await retryUntilLoaded(() => {
      if (holds.length > 0) markHeld(core, group, marks)
      if (rules.versions !== undefined && !isForgotten)
        markVersions(core, group, rules.versions, marks)
    })
    await slices.turn()
  }
  return marks
}

/** Keeps the state of an inode as of a moment. */
export function markMoment({ moments }: Marks, ino: number, moment: Moment): void {
  const its = moments.get(ino)
  if (its === undefined) moments.set(ino, [moment])
  else if (its[its.length - 1] !== moment) its.push(moment)
}

function heldBy(core: Core, holds: readonly string[], held: ReadonlySet<number>): Marks['isHeld'] {
  const rule = withinRule(holds.map(namesOf))
  const places = new LastPlaces(core, rule)
  return (parent, name) => {
    if (held.has(parent)) return true
    const place = places.named(parent, name)
    return place !== undefined && rule.means(place)
  }
}

function markHeld(core: Core, { parent, name, present, pasts }: NameGroup, marks: Marks): void {
  if (!marks.isHeld(parent, name)) return
  markGone(core, parent, marks)
  if (present !== undefined) marks.held.add(present.ino)
  for (const { ino } of pasts) marks.held.add(ino)
}

function markVersions(core: Core, group: NameGroup, count: number, marks: Marks): void {
  const { present, pasts } = group
  if (present !== undefined && pasts.length === 0 && count === 1) return
  // Versions that an inode got after the name led elsewhere belong to another name.
  const spans = new Map<number, { since: Moment; until: Moment }>()
  for (const { ino, since, until, type } of pasts)
    if (type !== DT_DIR) spans.set(ino, { since: spans.get(ino)?.since ?? since, until })
  if (present !== undefined)
    spans.set(present.ino, {
      since: spans.get(present.ino)?.since ?? present.since,
      until: Number.POSITIVE_INFINITY,
    })
  const ends = new Set(pasts.map((past) => past.until))
  // `shown`: the moment from which it is this name's; a file that was moved here brought it along.
  const found: { ino: number; moment: Moment; shown: Moment; came: boolean }[] = []
  for (const [ino, { since, until }] of spans)
    for (const moment of newestVersions(core, ino, until, count)) {
      const came = moment < since && ends.has(since)
      found.push({ ino, moment, shown: Math.max(moment, since), came })
      // Of a file that replaced another, versions from before that are not part of this name's
      // history.
      if (came) break
    }
  found.sort((a, b) => b.shown - a.shown || b.moment - a.moment)
  for (const { ino, moment, shown, came } of found.slice(0, count)) {
    const before = marks.oldest.get(ino)
    if (before === undefined || moment < before) marks.oldest.set(ino, moment)
    if (came) markMoment(marks, ino, shown)
  }
  if (found.length > 0) markGone(core, group.parent, marks)
}

function newestVersions(core: Core, ino: number, until: Moment, count: number): Moment[] {
  const moments: Moment[] = []
  for (let lt = [ino + 1]; ; ) {
    const limit = Math.min(count, PAGE_ROWS)
    const rows = core.overlay.store.project(version, ['number', 'moment'], {
      gte: [ino],
      lt,
      reverse: true,
      limit,
    })
    for (const { moment } of rows) if (moment < until) moments.push(moment)
    const last = rows[rows.length - 1]
    if (last === undefined || rows.length < limit || moments.length >= count) break
    lt = [ino, last.number]
  }
  return moments.slice(0, count)
}

/** Whether an inode has a name; a nameless one may still be in use, e.g. as a working directory. */
export function isThere(core: Core, ino: number): boolean {
  const known = core.inodes.get(ino)
  return known === undefined ? core.overlay.get(inodes, [ino]) !== undefined : known.nlink > 0
}

/** Keeps the deleted directories above: without them, what is kept could not be found. */
function markGone(core: Core, directory: number, marks: Marks): void {
  const gone: number[] = []
  const isCircle = cycleCheck()
  for (let at = directory; !marks.gone.has(at); ) {
    if (isThere(core, at) || isCircle(at)) break
    const [last] = core.overlay.store.project(inodePast, ['parent'], {
      gte: [at],
      lt: [at + 1],
      reverse: true,
      limit: 1,
    })
    if (last === undefined) break
    gone.push(at)
    at = last.parent
  }
  // Added at the end: if a Fault restarts the walk, it must not take its own marks for its end.
  for (const ino of gone) marks.gone.add(ino)
}
