// What prune keeps, in terms of moments: rules become a recent window in which everything is kept,
// and single moments at which the whole tree stays exact, as if each were a snapshot. Pure, except
// that it reads the rows of snapshots and holds.
//
//   keep.days, --older-than     everything that still existed after some moment
//   keep.hourly .. monthly      the last N full hours, midnights, Monday midnights, or firsts of a
//                               month, in local time
//   snapshots, held snapshots   their moments
//   keep.versions, --keep       counted by name: see prune-marks.ts

import { firstIndex } from '../../base/sorted.ts'
import { snapshot } from '../../store/collections.ts'
import { ALL } from '../../store/store.ts'
import type { WallMicros } from '../core/clock-steps.ts'
import { configured, durationMs, type SettingName } from '../core/configuration.ts'
import type { Core } from '../core/core.ts'
import type { Moment } from '../core/moment.ts'
import { listHolds } from './holds.ts'

/** Rules of one run; without any, everything is kept. */
export interface Rules {
  readonly versions?: number
  /** Keep everything younger than this, in milliseconds. */
  readonly youngerMs?: number
  readonly hourly?: number
  readonly daily?: number
  readonly weekly?: number
  readonly monthly?: number
  /** How long `versions` covers deleted files, in milliseconds. */
  readonly deletedMs?: number
}

/** A past row is kept when it ended after `window` or covers one of `moments`, which are sorted. */
export interface Kept {
  readonly window: Moment
  readonly moments: readonly Moment[]
}

/** Keeps everything. */
export const KEEP_ALL: Kept = { window: 0, moments: [] }

const DAY_MS = 86_400_000

/** The rules in the vault's settings. */
export function storedRules(core: Core): Rules {
  const rules: { -readonly [K in keyof Rules]: number } = {}
  const take = (name: keyof Rules, key: SettingName, factor = 1): void => {
    const value = configured(core, key)
    if (value !== '') rules[name] = Number(value) * factor
  }
  take('versions', 'keep.versions')
  take('youngerMs', 'keep.days', DAY_MS)
  take('hourly', 'keep.hourly')
  take('daily', 'keep.daily')
  take('weekly', 'keep.weekly')
  take('monthly', 'keep.monthly')
  take('deletedMs', 'keep.deleted', DAY_MS)
  return rules
}

/**
 * The rules of one run as typed; `olderThan` is an age such as 30d. Undefined when it is invalid.
 */
export function givenRules(
  keep: number | undefined,
  olderThan: string | undefined,
): Rules | undefined {
  const youngerMs = olderThan === undefined ? undefined : durationMs(olderThan)
  if (olderThan !== undefined && youngerMs === undefined) return undefined
  return {
    ...(keep === undefined ? {} : { versions: keep }),
    ...(youngerMs === undefined ? {} : { youngerMs }),
  }
}

/** True when no rule lets anything be dropped. `deletedMs` alone is no rule. */
export function keepsEverything(rules: Rules): boolean {
  return Object.keys(rules).every((name) => name === 'deletedMs')
}

/** What the rules, snapshots and holds keep, as of `now` (microseconds). */
export function keptBy(core: Core, rules: Rules, now: Moment): Kept {
  if (keepsEverything(rules)) return KEEP_ALL
  const moments = new Set<Moment>()
  for (const row of core.overlay.scan(snapshot, { limit: ALL })) moments.add(row.moment)
  for (const row of listHolds(core)) if (row.moment > 0) moments.add(row.moment)
  const today = new Date(Math.floor(core.moments.wallOf(now) / 1000))
  for (const wall of boundaries(rules, today)) {
    const moment = core.moments.momentAt(wall)
    if (moment !== undefined) moments.add(moment)
  }
  const window = rules.youngerMs === undefined ? now : now - rules.youngerMs * 1000
  return { window, moments: [...moments].sort((a, b) => a - b) }
}

/**
 * The starts of the last hours, days, weeks and months that the rules ask for, including the
 * current ones.
 */
function boundaries(rules: Rules, now: Date): WallMicros[] {
  const [year, month, day] = [now.getFullYear(), now.getMonth(), now.getDate()]
  const hour = new Date(year, month, day, now.getHours()).getTime()
  const sinceMonday = (now.getDay() + 6) % 7
  const starts: number[] = []
  const add = (count: number | undefined, start: (index: number) => number): void => {
    for (let index = 0; index < Math.min(count ?? 0, 100_000); index++) starts.push(start(index))
  }
  add(rules.hourly, (index) => hour - index * 3_600_000)
  add(rules.daily, (index) => new Date(year, month, day - index).getTime())
  add(rules.weekly, (index) => new Date(year, month, day - sinceMonday - 7 * index).getTime())
  add(rules.monthly, (index) => new Date(year, month - index, 1).getTime())
  return starts.map((ms) => ms * 1000)
}

/** Whether something that existed in [since, until) is kept. */
export function keeps(kept: Kept, since: Moment, until: Moment): boolean {
  if (until > kept.window) return true
  const { moments } = kept
  const first = moments[firstIndex(moments.length, (at) => (moments[at] as Moment) >= since)]
  return first !== undefined && first < until
}
