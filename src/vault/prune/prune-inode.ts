// Prunes one inode: decides which of its states stay, and drops what only the others need. States
// are dropped as a whole: as of any moment, a file is exactly what it was, or it does not exist.
//
// The order preserves that if the work is interrupted anywhere: first versions, then states, then
// what they were made of.

import { firstIndex } from '../../base/sorted.ts'
import {
  type Collection,
  extent,
  extentPast,
  inodePast,
  inode as inodes,
  type Key,
  type KeyPart,
  tagging,
  taggingPast,
  version,
  xattr,
  xattrPast,
} from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Core } from '../core/core.ts'
import type { Moment } from '../core/moment.ts'
import { walkRows } from '../core/rows.ts'
import type { Slices } from '../core/time-slices.ts'
import { suspectBlock } from '../tree/history-recording.ts'
import type { LastPlaces } from '../tree/places.ts'
import type { Marks } from './prune-marks.ts'
import { type Kept, keeps } from './retention.ts'

/** Why a version stays; '' when it is dropped. */
type Reason = 'newest' | 'versions' | 'age' | 'moment' | 'held' | ''

export interface PrunedVersion {
  readonly ino: number
  /** The present or last path of the file. */
  readonly path: string | undefined
  readonly number: number
  readonly moment: Moment
  readonly size: number
  readonly why: Reason
}

export interface PruneJob {
  readonly core: Core
  readonly slices: Slices
  /** When the run began: what changes later is newer than anything that is dropped. */
  readonly now: Moment
  readonly kept: Kept
  readonly marks: Marks
  readonly dryRun: boolean
  readonly dropped: { versions: number; states: number; names: number; rows: number }
  readonly explain: Explain | undefined
}

/** Reports every version that is examined. */
interface Explain {
  readonly paths: LastPlaces<string>
  tell(version: PrunedVersion): void
}

/** A past state of an inode, from `since` to before `until`. */
export interface State {
  readonly since: Moment
  readonly until: Moment
  why: Reason
}

export interface Version {
  readonly number: number
  readonly moment: Moment
  readonly size: number
}

export type Lifetime = { readonly since: Moment; readonly until: Moment }

/** The states and versions of an inode; `why` of each state tells whether it stays. */
export interface Life {
  readonly present: Moment | undefined
  readonly states: readonly State[]
  readonly versions: readonly Version[]
  /**
   * Attributes and labels that began before this moment are dropped even if the present state
   * overlaps them, such as a label that was renamed.
   */
  readonly forgottenUntil?: Moment
}

/** A function that finds the state of a moment; call it with ascending moments. */
export function upwards(states: readonly State[]): (moment: Moment) => State | undefined {
  let at = 0
  return (moment) => {
    while (at < states.length && (states[at] as State).until <= moment) at++
    const state = states[at]
    return state !== undefined && state.since <= moment ? state : undefined
  }
}

/** Reads the life of an inode; `why` decides for each state whether and why it stays. */
export async function readLife(
  job: PruneJob,
  ino: number,
  why: (since: Moment, until: Moment) => Reason,
): Promise<Life> {
  const { store } = job.core.overlay
  const present = await retryUntilLoaded(() => presentSince(job, ino))
  const range = { gte: [ino], lt: [ino + 1] }
  const versions: Version[] = []
  const fields = ['ino', 'number', 'moment', 'size'] as const
  for await (const row of walkRows(store, version, fields, range, job.slices)) versions.push(row)
  const states: State[] = []
  const times = ['ino', 'since', 'until'] as const
  for await (const { since, until } of walkRows(store, inodePast, times, range, job.slices))
    states.push({ since, until, why: why(since, until) })
  return { present, states, versions }
}

async function lifeOf(job: PruneJob, ino: number): Promise<Life> {
  const { kept, marks } = job
  const isHeld = marks.held.has(ino)
  const life = await readLife(job, ino, (since, until) => reasonOf(kept, since, until, isHeld))
  const { present, states, versions } = life
  keepVersions([...states], versions, marks.oldest.get(ino), present !== undefined)
  const stateAt = upwards(states)
  for (const moment of (marks.moments.get(ino) ?? []).sort((a, b) => a - b)) {
    const state = stateAt(moment)
    if (state !== undefined) state.why ||= 'versions'
  }
  const last = states[states.length - 1]
  const isGone = present === undefined || present === NAMELESS
  if (last !== undefined && isGone && marks.gone.has(ino)) last.why ||= 'versions'
  return life
}

/** For an inode that is open without a name; takes the place of a moment. */
const NAMELESS = 0

/** Whether an inode is deleted and none of its states will stay. */
export async function vanishes(job: PruneJob, ino: number): Promise<boolean> {
  if ((await retryUntilLoaded(() => presentSince(job, ino))) !== undefined) return false
  const { states } = await lifeOf(job, ino)
  return states.length > 0 && states.every(({ why }) => why === '')
}

/** Drops what is not needed of one inode. The names that led to it must be pruned already. */
export async function pruneInode(job: PruneJob, ino: number): Promise<void> {
  await dropUnneeded(job, ino, await lifeOf(job, ino))
}

/** Whether a kept state existed at some time in [since, until). */
export function neededBy({ states, present }: Life): (lifetime: Lifetime) => boolean {
  const stays = intervalsOf(states, present)
  return ({ since, until }) => covers(stays, since, until)
}

/** Whether a past attribute or label belongs to a kept state. */
export function carriedBy({ now }: PruneJob, life: Life): (lifetime: Lifetime) => boolean {
  const stays = intervalsOf(life.states, life.present)
  const pasts = intervalsOf(life.states, undefined)
  const { forgottenUntil = 0 } = life
  return ({ since, until }) => {
    // What ended after the run began still belonged to the present when it was examined.
    const isForgotten = since < forgottenUntil && until <= now
    return covers(isForgotten ? pasts : stays, since, until)
  }
}

/** Drops the rows of an inode that none of its kept states needs. */
export async function dropUnneeded(job: PruneJob, ino: number, life: Life): Promise<void> {
  const { present, states, versions } = life
  const stays = intervalsOf(states, present)
  if (job.explain !== undefined && versions.length > 0) {
    const { paths, tell } = job.explain
    const path = await retryUntilLoaded(() => paths.of(ino))
    for (const its of explained(states, versions, present)) tell({ ino, path, ...its })
  }
  const doomedVersions = new Set(
    versions.filter(({ moment }) => !covers(stays, moment, moment + 1)).map((its) => its.number),
  )
  job.dropped.versions += await drop(job, ino, version, [], ({ number }) =>
    doomedVersions.has(number),
  )
  const doomedStates = new Set(states.filter(({ why }) => why === '').map(({ since }) => since))
  job.dropped.states += await drop(job, ino, inodePast, [], ({ since }) => doomedStates.has(since))
  const wasNeeded = ({ since, until }: Lifetime) => covers(stays, since, until)
  const wasCarried = carriedBy(job, life)
  const { dropped } = job
  dropped.rows += await drop(job, ino, extentPast, ['until', 'hash'], (row) => !wasNeeded(row))
  dropped.rows += await drop(job, ino, xattrPast, ['until'], (row) => !wasCarried(row))
  dropped.rows += await drop(job, ino, taggingPast, ['until'], (row) => !wasCarried(row))
  if (present !== undefined) return
  // Checked for each row: a file may be restored meanwhile.
  const isNeeded = ({ since }: { since: Moment }) =>
    presentSince(job, ino) !== undefined || covers(stays, since, Number.POSITIVE_INFINITY)
  dropped.rows += await drop(job, ino, extent, ['since', 'hash'], (row) => !isNeeded(row))
  dropped.rows += await drop(job, ino, xattr, ['since'], (row) => !isNeeded(row))
  dropped.rows += await drop(job, ino, tagging, ['since'], (row) => !isNeeded(row))
}

function reasonOf(kept: Kept, since: Moment, until: Moment, isHeld: boolean): Reason {
  if (isHeld) return 'held'
  if (until > kept.window) return 'age'
  return keeps(kept, since, until) ? 'moment' : ''
}

/**
 * Since when the inode has been in the state in which prune found it; NAMELESS for one that is open
 * without a name, undefined for a deleted one. Everything from then on stays: of what happens while
 * prune runs, only a part is durable when it is examined.
 */
function presentSince({ core, now }: PruneJob, ino: number): Moment | undefined {
  if (core.orphans.has(ino)) return NAMELESS
  const present = core.overlay.get(inodes, [ino])
  if (present !== undefined && present.since <= now) return present.since
  const [then] = core.overlay.scan(inodePast, {
    gte: [ino],
    lt: [ino, now + 1],
    reverse: true,
    limit: 1,
  })
  if (then !== undefined && then.until > now) return then.since
  const isLater = present !== undefined || hasStateAfter(core, ino, now)
  return isLater ? now + 1 : undefined
}

function hasStateAfter(core: Core, ino: number, moment: Moment): boolean {
  const range = { gte: [ino, moment + 1], lt: [ino + 1], limit: 1 }
  return core.overlay.scan(inodePast, range).length > 0
}

/**
 * A version is read as of its moment, so the state of that moment must be kept: for versions that
 * the rules keep, for the newest version of an existing file, and for a version whose content a
 * later kept state still has.
 */
function keepVersions(
  states: State[],
  versions: readonly Version[],
  oldest: Moment | undefined,
  isPresent: boolean,
): void {
  let at = 0
  for (let index = 0; index < versions.length; index++) {
    const { moment } = versions[index] as Version
    const next = versions[index + 1]?.moment ?? Number.POSITIVE_INFINITY
    while (at < states.length && (states[at] as State).until <= moment) at++
    const state = states[at]
    if (state === undefined || state.since > moment || state.why !== '') continue
    if (isPresent && index === versions.length - 1) state.why = 'newest'
    else if (oldest !== undefined && moment >= oldest) state.why = 'versions'
    else
      for (let later = at + 1; later < states.length; later++) {
        const its = states[later] as State
        if (its.since >= next) break
        if (its.why !== '') state.why = its.why
      }
  }
}

type Interval = { readonly since: Moment; until: Moment }

/** The times at which the inode has a kept state, merged and in order. */
function intervalsOf(states: readonly State[], present: Moment | undefined): Interval[] {
  const intervals: Interval[] = []
  for (const { since, until, why } of states) {
    if (why === '') continue
    const last = intervals[intervals.length - 1]
    if (last?.until === since) last.until = until
    else intervals.push({ since, until })
  }
  // From 0 for an open inode without a name: all of its content may still be read.
  if (present !== undefined) intervals.push({ since: present, until: Number.POSITIVE_INFINITY })
  return intervals
}

/** Whether any of the intervals shares a moment with [since, until). */
function covers(intervals: readonly Interval[], since: Moment, until: Moment): boolean {
  const isBehind = (at: number): boolean => (intervals[at] as Interval).until > since
  const first = intervals[firstIndex(intervals.length, isBehind)]
  return first !== undefined && first.since < until
}

function* explained(
  states: readonly State[],
  versions: readonly Version[],
  present: Moment | undefined,
): Generator<Version & { readonly why: Reason }> {
  const stateAt = upwards(states)
  for (const its of versions)
    yield { ...its, why: stateAt(its.moment)?.why ?? (present === undefined ? '' : 'newest') }
}

/** Deletes the doomed rows of one inode in one collection, and returns their number. */
async function drop<R extends { ino: number }, F extends keyof R & string>(
  job: PruneJob,
  ino: number,
  collection: Collection<R>,
  more: readonly F[],
  isDoomed: (row: R) => boolean,
): Promise<number> {
  const { core, slices } = job
  const key = collection.fields.slice(0, collection.keyLength)
  const fields = [...new Set<string>([...key, ...more])] as F[]
  let count = 0
  const range = { gte: [ino], lt: [ino + 1] }
  for await (const row of walkRows(core.overlay.store, collection, fields, range, slices)) {
    if (!(await retryUntilLoaded(() => isDoomed(row as unknown as R)))) continue
    count++
    if (job.dryRun) continue
    const values = row as unknown as Record<string, KeyPart>
    if (values.hash) suspectBlock(core, values.hash as string)
    core.overlay.delete(collection, key.map((field) => values[field] as KeyPart) as Key)
    core.pasts.delete(ino)
    slices.changed(1)
    await slices.turn()
  }
  return count
}
