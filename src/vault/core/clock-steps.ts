// Maps between moments and the time that the host's clock showed. Moments advance at the rate of
// real time; when the clock is set, a step records its offset from moments from there on. Pure:
// rows in, numbers out.
//
// A time that the clock showed twice, because it was set back, means the later moment; `nth` 2
// means the one before. A time that it never showed, because it was set ahead, means the last
// moment before the gap.

import type { ClockRow } from '../../store/collections.ts'
import type { Moment } from './moment.ts'

/** Microseconds since 1970 as the host's clock showed them. */
export type WallMicros = number

export class ClockSteps {
  /** Oldest first. */
  readonly #rows: ClockRow[]

  constructor(rows: readonly ClockRow[]) {
    this.#rows = [...rows].sort((a, b) => a.moment - b.moment)
  }

  get rows(): readonly ClockRow[] {
    return this.#rows
  }

  /** The clock's offset from moments since the last step. */
  get offset(): number {
    return this.#rows.at(-1)?.offset ?? 0
  }

  /** Adds a step that is later than all others. */
  add(row: ClockRow): void {
    this.#rows.push(row)
  }

  /** What the clock showed at a moment. A moment beyond all others (MAX_SAFE_INTEGER) is kept. */
  wallOf(moment: Moment): WallMicros {
    if (moment >= Number.MAX_SAFE_INTEGER) return moment
    const era = this.#eraOf(moment)
    return moment + this.#offsetOf(era)
  }

  /**
   * The moment that a clock time means, seen from `now`; later than `now` where the clock has not
   * reached it yet. Undefined when there is no `nth` one.
   */
  momentAt(wall: WallMicros, now: Moment, nth = 1): Moment | undefined {
    let left = nth
    for (let era = this.#rows.length; era >= 0; era--) {
      const moment = wall - this.#offsetOf(era)
      if (this.#isWithin(era, moment, now) && --left === 0) return moment
    }
    if (nth > 1) return undefined
    if (wall > now + this.offset) return wall - this.offset
    return this.#lastBefore(wall)
  }

  /** Which of the moments with the same clock time this is, counted from the latest: 1, 2, 3 ... */
  nthOf(moment: Moment, now: Moment): number {
    const wall = this.wallOf(moment)
    let nth = 1
    for (let era = this.#eraOf(moment) + 1; era <= this.#rows.length; era++)
      if (this.#isWithin(era, wall - this.#offsetOf(era), now)) nth++
    return nth
  }

  /** The earliest time that the clock showed from a moment on. */
  earliestFrom(moment: Moment): WallMicros {
    return this.#rows.reduce(
      (earliest, row) =>
        row.moment > moment ? Math.min(earliest, row.moment + row.offset) : earliest,
      this.wallOf(moment),
    )
  }

  #offsetOf(era: number): number {
    return this.#rows[era - 1]?.offset ?? 0
  }

  #eraOf(moment: Moment): number {
    let era = this.#rows.length
    while (era > 0 && (this.#rows[era - 1] as ClockRow).moment > moment) era--
    return era
  }

  #isWithin(era: number, moment: Moment, now: Moment): boolean {
    const from = this.#rows[era - 1]?.moment ?? Number.NEGATIVE_INFINITY
    const next = this.#rows[era]?.moment
    return moment >= from && (next === undefined ? moment <= now : moment < next)
  }

  #lastBefore(wall: WallMicros): Moment {
    let best: { readonly moment: Moment; readonly wall: WallMicros } | undefined
    this.#rows.forEach((row, era) => {
      const moment = row.moment - 1
      const its = { moment, wall: moment + this.#offsetOf(era) }
      if (its.wall <= wall && (best === undefined || its.wall >= best.wall)) best = its
    })
    return best?.moment ?? wall - this.#offsetOf(0)
  }
}

/** The steps after a moment, described in words, oldest first. */
export function clockTexts(rows: readonly ClockRow[], after = 0): string[] {
  return rows.flatMap((row, at) =>
    row.moment > after ? [clockText(row, rows[at - 1]?.offset ?? 0)] : [],
  )
}

/** A step in words; `before` is the offset before it. */
export function clockText({ moment, offset }: ClockRow, before: number): string {
  const by = offset - before
  const what = by < 0 ? 'set back' : 'set ahead'
  const at = (its: number): string => new Date((moment + its) / 1000).toISOString().slice(0, 19)
  return `the host's clock was ${what} by ${lengthText(Math.abs(by))}, from ${at(before)}Z to ${at(offset)}Z`
}

function lengthText(micros: number): string {
  const seconds = Math.round(micros / 1e6)
  if (seconds < 1) return `${Math.round(micros / 1000)} ms`
  const two = (value: number): string => String(value).padStart(2, '0')
  const days = Math.floor(seconds / 86400)
  const clock = `${Math.floor(seconds / 3600) % 24}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  return days === 0 ? clock : `${days} day${days === 1 ? '' : 's'} ${clock}`
}
