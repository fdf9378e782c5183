// The vault's only clock: a strictly increasing count of microseconds, exact in a double until the
// year 2255. It counts from 1970 as the host's clock does, but advances at the rate of real time
// when that clock is set: the difference of two moments is the time that passed between them.
// Across a restart only the host's clock can tell that; where it is behind, or far ahead, moments
// go on from the last one.

import { hostClock } from '../../base/clock.ts'
import type { ClockRow } from '../../store/collections.ts'
import { ClockSteps, type WallMicros } from './clock-steps.ts'
import type { Moment } from './moment.ts'

/**
 * A name that lived shorter is temporary, such as an editor's save file or a lock, and leaves no
 * trace in listings of the past.
 */
export const BRIEF_MICROS = 1_000_000

/** A smaller difference may be NTP, or a pause of this process between two reads. */
const STEP_MICROS = 250_000
/** Smaller steps are merged for a while: a clock that stands still would make one at each read. */
const LARGE_MICROS = 2_000_000
const GATHERED_MICROS = 10_000_000
/**
 * The latest moment that is taken from the host's clock on opening. A machine whose clock is wrong
 * at every other boot (1970, then right) adds the difference each time; beyond this, moments go on
 * from the last one, with ten years left of what a double holds exactly.
 */
const OPENED_MAX = Number.MAX_SAFE_INTEGER - 10 * 366 * 86_400 * 1_000_000
/** Two clock reads that are no further apart count as simultaneous. */
const TOGETHER_MICROS = 5_000
const TRIES = 20

export class Moments {
  /** The newest moment given out. */
  last: Moment
  /**
   * Rows with a later `since` have been seen by nobody: neither committed nor read as of a moment.
   * Changing the attributes of such a row needs no past row.
   */
  barrier: Moment
  readonly steps: ClockSteps

  #pretended: Moment | undefined
  /** Steps that are not in a commit yet. */
  #fresh: ClockRow[] = []
  /** The host clock's current offset from moments; `steps` may not have it yet. */
  #offset: number
  /**
   * The host clock's offset from the steady clock, and how long the host had slept, at the last
   * look.
   */
  #apart: number
  #slept: number

  constructor(last: Moment, rows: readonly ClockRow[] = []) {
    const host = hostClock()
    const wall = host.wallMicros()
    this.last = last
    this.barrier = last
    this.steps = new ClockSteps(rows)
    this.#offset = this.steps.offset
    this.#apart = wall - host.steadyMicros()
    this.#slept = host.sleptMicros()
    const moment = wall - this.#offset
    if (last - moment <= STEP_MICROS && moment <= OPENED_MAX) return
    this.#offset = wall - last - 1
    this.#record()
  }

  /** A new moment, later than all before it. */
  next(): Moment {
    this.last = Math.max(this.last + 1, this.#pretended ?? this.#look())
    return this.last
  }

  /** The present time as a moment; ages count from here. */
  now(): Moment {
    return Math.max(this.last, this.#look())
  }

  /** What the host's clock showed at a moment: for display, and to compare with file times. */
  wallOf(moment: Moment): WallMicros {
    return this.steps.wallOf(moment)
  }

  /**
   * The moment that a time of the host's clock means (clock-steps.ts); later than `now` for a time
   * in the future. Undefined when there is no `nth` one.
   */
  momentAt(wall: WallMicros, nth = 1): Moment | undefined {
    return this.steps.momentAt(wall, this.now(), nth)
  }

  /** Looks at the clock, and returns the steps that are not stored yet. */
  takeSteps(): readonly ClockRow[] {
    this.#look()
    if (this.#isDue()) this.#record()
    const fresh = this.#fresh
    this.#fresh = []
    return fresh
  }

  /**
   * Makes the following changes happen at `moment`, to import a foreign history; undefined returns
   * to the present.
   */
  pretend(moment: Moment | undefined): void {
    this.#pretended = moment
  }

  /** Lets the vault's history begin at `moment`. Only for a vault without history. */
  rewind(moment: Moment): void {
    this.last = moment
    this.barrier = moment
  }

  /** Makes the present state part of history. */
  observe(): void {
    this.barrier = this.last
  }

  #look(): Moment {
    const host = hostClock()
    const wall = host.wallMicros()
    const apart = wall - host.steadyMicros()
    if (Math.abs(apart - this.#apart) > STEP_MICROS) return this.#lookTwice()
    this.#apart = apart
    return Math.round(wall - this.#offset)
  }

  /**
   * Called when the clock was set, the host slept, or this process was held up between two reads.
   */
  #lookTwice(): Moment {
    const host = hostClock()
    let [wall, apart] = [0, 0]
    for (let left = TRIES; left > 0; left--) {
      const before = host.steadyMicros()
      wall = host.wallMicros()
      const after = host.steadyMicros()
      apart = wall - after
      if (after - before < TOGETHER_MICROS) break
    }
    const slept = host.sleptMicros()
    const asleep = slept - this.#slept > STEP_MICROS ? slept - this.#slept : 0
    const by = Math.round(apart - this.#apart - asleep)
    this.#apart = apart
    this.#slept = slept
    if (Math.abs(by) > STEP_MICROS) {
      this.#offset += by
      if (Math.abs(by) >= LARGE_MICROS || this.#isDue()) this.#record(wall)
    }
    return Math.round(wall - this.#offset)
  }

  #isDue(): boolean {
    const since = this.steps.rows.at(-1)?.moment ?? Number.NEGATIVE_INFINITY
    return (
      Math.abs(this.#offset - this.steps.offset) > STEP_MICROS &&
      hostClock().wallMicros() - this.#offset - since >= GATHERED_MICROS
    )
  }

  /** Adds a step: from here on moments map to the clock's new time. */
  #record(wall = hostClock().wallMicros()): void {
    this.last = Math.max(this.last + 1, Math.round(wall - this.#offset))
    const row = { moment: this.last, offset: this.#offset }
    this.steps.add(row)
    this.#fresh.push(row)
  }
}
