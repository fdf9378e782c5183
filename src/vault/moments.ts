// The vault's only clock: a strictly increasing count of microseconds since 1970, exact in a double until the year 2255.

import { nowMicros } from '../base/clock.ts'

/** A point in the vault's history; later changes have greater moments, even when the host's clock goes back. */
export type Moment = number

/** A name that lived shorter is a temporary one: of an editor's save, a lock. It leaves no trace in listings of the past. */
export const BRIEF_MICROS = 1_000_000

export class Moments {
  /** The newest moment given out. */
  last: Moment
  /**
   * Rows with a later `since` were seen by nobody yet: neither committed nor read as of a moment. Changing such a row's
   * attributes needs no trace of the row before.
   */
  barrier: Moment

  #pretended: Moment | undefined

  constructor(last: Moment) {
    this.last = last
    this.barrier = last
  }

  next(): Moment {
    this.last = Math.max(this.last + 1, this.#pretended ?? nowMicros())
    return this.last
  }

  /** What follows happened at `moment`, or (undefined) happens now: a foreign history is being imported. */
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
}
