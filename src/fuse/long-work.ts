// How many requests of one user may be under way that take long (their operation lets others go on
// in between, and keeps what it has found out until then): more would only wait for each other, and
// each takes memory.

/** More than programs ask at a time. */
export const LONG_MAX = 64

export class LongWork {
  readonly #counts = new Map<number, number>()

  /**
   * Notes that a request waits for its next slice. False for a new one of a user who has too many.
   */
  enter(uid: number, isNew: boolean): boolean {
    const count = this.#counts.get(uid) ?? 0
    if (isNew && count >= LONG_MAX) return false
    this.#counts.set(uid, count + 1)
    return true
  }

  leave(uid: number): void {
    const left = (this.#counts.get(uid) ?? 0) - 1
    if (left > 0) this.#counts.set(uid, left)
    else this.#counts.delete(uid)
  }
}
