// Numbers of open directories, of the vault and of views, and how many there may be: each takes
// memory until it is closed, and a program can open them faster than anybody notices.

import { EMFILE, ENFILE, fail } from '../base/errno.ts'

/** Of one user: more than the walks of any program have open at a time. */
export const HANDLES_MAX_EACH = 10_000
export const HANDLES_MAX = 100_000

export class Handles {
  #next = 1
  /** Which user opened each, and how many each user has open. */
  readonly #users = new Map<number, number>()
  readonly #counts = new Map<number, number>()

  /**
   * The number that `open` takes next. Throws EMFILE when the user has too many open, ENFILE when
   * all users together have.
   */
  next(uid: number): number {
    if ((this.#counts.get(uid) ?? 0) >= HANDLES_MAX_EACH) fail(EMFILE)
    if (this.#users.size >= HANDLES_MAX) fail(ENFILE)
    return this.#next
  }

  open(uid: number): number {
    const handle = this.next(uid)
    this.#next++
    this.#users.set(handle, uid)
    this.#counts.set(uid, (this.#counts.get(uid) ?? 0) + 1)
    return handle
  }

  close(handle: number): void {
    const uid = this.#users.get(handle)
    if (uid === undefined) return
    this.#users.delete(handle)
    const left = (this.#counts.get(uid) ?? 0) - 1
    if (left > 0) this.#counts.set(uid, left)
    else this.#counts.delete(uid)
  }
}
