// Which seconds at/ lists, for names of moments that are cut at whole seconds: Samba reads the
// names of a listing, in UTC and no further than its format goes, and asks for what it has read. A
// time that somebody types without a zone is local; one that is the beginning of a listed name
// means what it means there.

import type { WallMicros } from '../../vault/core/clock-steps.ts'
import type { Core } from '../../vault/core/core.ts'
import type { Moment } from '../../vault/core/moment.ts'
import { changesOf } from '../../vault/history/changes.ts'
import { ticksOf } from './row-ticks.ts'

/** The newest changes that a listing shows. */
const LISTED_MAX = 1000
const SECOND_MICROS = 1e6
/** Directories of which the seconds are kept. */
const DIRECTORIES_MAX = 64

interface Seconds {
  /** As the host's clock showed them, each with a moment of it. */
  readonly listed: ReadonlyMap<number, Moment>
  /**
   * The newest moment when they were looked up: of the seconds before it all is known, unless the
   * clock was set since.
   */
  readonly last: Moment
  readonly clockSteps: number
  readonly tick: number
}
const known = new WeakMap<Core, Map<number, Seconds>>()

/** The moments that at/ lists, newest first. */
export function listedMoments(core: Core, directory: number): Moment[] {
  const moments = changesOf(core, directory, LISTED_MAX)
  note(core, directory, moments)
  return moments
}

/**
 * Whether at/ lists a moment of the second that began when the host's clock showed `start`, to
 * somebody of whom `isShown` tells.
 */
export function isListedSecond(
  core: Core,
  directory: number,
  start: WallMicros,
  isShown: (moment: Moment) => boolean,
): boolean {
  const { moments } = core
  const before = known.get(core)?.get(directory)
  const isKnown =
    before !== undefined &&
    before.clockSteps === moments.steps.rows.length &&
    (before.tick === ticksOf(core).events() || start + SECOND_MICROS <= moments.wallOf(before.last))
  const seconds = isKnown ? before : note(core, directory, changesOf(core, directory, LISTED_MAX))
  const moment = seconds.listed.get(start / SECOND_MICROS)
  return moment !== undefined && isShown(moment)
}

function note(core: Core, directory: number, moments: readonly Moment[]): Seconds {
  const { last, steps } = core.moments
  const listed = new Map(
    moments.map((moment) => [Math.floor(steps.wallOf(moment) / SECOND_MICROS), moment]),
  )
  const seconds = { listed, last, clockSteps: steps.rows.length, tick: ticksOf(core).events() }
  const all = known.get(core) ?? new Map<number, Seconds>()
  known.set(core, all)
  all.delete(directory)
  all.set(directory, seconds)
  if (all.size > DIRECTORIES_MAX) all.delete(all.keys().next().value ?? directory)
  return seconds
}
