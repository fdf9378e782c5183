// The vault's only clock: a strictly increasing count of microseconds, exact in a double until the
// year 2255. It counts from 1970 as the host's clock does, but goes on at the rate of time when
// that one is set: the difference of two moments is how long it was between them. Between two
// openings only the host's clock can tell how long it was; where it is behind, or far ahead,
// moments go on from the last one.

import { hostClock } from '../../base/clock.ts'
import type { ClockRow } from '../../store/collections.ts'
import { ClockSteps, type WallMicros } from './clock-steps.ts'
import type { Moment } from './moment.ts'

/**
 * A name that lived shorter is a temporary one: of an editor's save, a lock. It leaves no trace in
 * listings of the past.
 */
export const BRIEF_MICROS = 1_000_000

/** Less is how NTP moves a clock, or that a process did not run between two looks. */
const STEP_MICROS = 250_000
/** Steps that are smaller are gathered for a while: a clock that stands makes one at each look. */
const LARGE_MICROS = 2_000_000
const GATHERED_MICROS = 10_000_000
/**
 * How far a closed vault's time may have gone on. A clock that is behind at every other opening (a
 * machine that starts in 1970) adds what it catches up each time; from here on moments go on from
 * the last one, with ten years left of what a double holds exactly.
 */
const OPENED_MAX = Number.MAX_SAFE_INTEGER - 10 * 366 * 86_400 * 1_000_000
/** Reads of two clocks that lie so far apart are of one instant. */
const TOGETHER_MICROS = 5_000
const TRIES = 20

export class Moments {
  /** The newest moment given out. */
  last: Moment
  /**
   * Rows with a later `since` were seen by nobody yet: neither committed nor read as of a moment.
   * Changing such a row's attributes needs no trace of the row before.
   */
  barrier: Moment
  readonly steps: ClockSteps

  #pretended: Moment | undefined
  /** Steps that no commit has yet. */
  #fresh: ClockRow[] = []
  /** How far the host's clock is from moments; `steps` may not know of it yet. */
  #offset: number
  /**
   * How far it was from the clock that nobody sets, and how long the host had slept, when last
   * looked at.
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

  next(): Moment {
    this.last = Math.max(this.last + 1, this.#pretended ?? this.#look())
    return this.last
  }

  /** What time it is, as a moment: ages count from here. */
  now(): Moment {
    return Math.max(this.last, this.#look())
  }

  /** What the host's clock showed at a moment: for people, and to compare with times of files. */
  wallOf(moment: Moment): WallMicros {
    return this.steps.wallOf(moment)
  }

  /**
   * The moment that a time of the host's clock means (clock-steps.ts); after `now` for what is in
   * the future.
   */
  momentAt(wall: WallMicros, nth = 1): Moment | undefined {
    return this.steps.momentAt(wall, this.now(), nth)
  }

  /** Looks at the clock, and gives the steps that are to be written. */
  takeSteps(): readonly ClockRow[] {
    this.#look()
    if (this.#isDue()) this.#record()
    const fresh = this.#fresh
    this.#fresh = []
    return fresh
  }

  /**
   * What follows happened at `moment`, or (undefined) happens now: a foreign history is being
   * imported.
   */
  pretend(moment: Moment | undefined): void {
    this.#pretended = moment
  }

  /** Only where nothing was there yet: the vault's history begins at `moment`. */
  rewind(moment: Moment): void {
    this.last = moment
    this.barrier = moment
  }

  /** From here on the present state is part of history. */
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

  /** The clock was set, or the host slept, or this process was held up between two reads. */
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

  /** What comes from here on has the clock's new time. */
  #record(wall = hostClock().wallMicros()): void {
    this.last = Math.max(this.last + 1, Math.round(wall - this.#offset))
    const row = { moment: this.last, offset: this.#offset }
    this.steps.add(row)
    this.#fresh.push(row)
  }
}
