// What computed files take: the content of each stays in memory for as long as the kernel knows it,
// which may be long. So that one user cannot fill the memory of all, the kernel is told to let go
// of the oldest, and what is more than that is refused.

import { ENOMEM, fail } from '../../base/errno.ts'
import { keptByStep } from '../../base/step.ts'
import { Fault } from '../../store/store.ts'
import type { KernelNotices } from '../operations.ts'

/** Bytes of one user, and of all: some sixty of the largest histories each. */
export const BYTES_MAX_EACH = 16 * 1024 * 1024
export const BYTES_MAX = 8 * BYTES_MAX_EACH
/** From this share on the oldest are dropped. */
const EASED = 1 / 2
/** How long a lookup waits for the kernel to let go of others. */
const WAIT_MS = 1000
const POLL_MS = 5

interface HeldFile {
  readonly number: number
  readonly up: number
  readonly name: string
  /** Who asked first. */
  readonly uid: number
  readonly bytes: number
}

export class HeldContent {
  /** The oldest first. */
  readonly #files = new Map<number, HeldFile>()
  readonly #byUser = new Map<number, number>()
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  /**
   * The kernel comes to know a file. Throws a Fault to wait until it knows fewer, and ENOMEM when
   * it keeps those. Call it before anything has changed.
   */
  hold(file: HeldFile, notices: KernelNotices | undefined): void {
    const { uid, bytes, number } = file
    if (this.#isBeyond(file, EASED)) this.#ease(file, notices)
    if (this.#isBeyond(file, 1)) {
      const until = keptByStep('held content', () => performance.now() + WAIT_MS)
      if (notices === undefined || performance.now() >= until) fail(ENOMEM)
      throw new Fault(() => new Promise((resolve) => setTimeout(resolve, POLL_MS)))
    }
    this.#files.set(number, file)
    this.#byUser.set(uid, this.#of(uid) + bytes)
    this.#bytes += bytes
  }

  /** The kernel let go of it. */
  release(number: number): void {
    const file = this.#files.get(number)
    if (file === undefined) return
    const { uid, bytes } = file
    this.#files.delete(number)
    const left = this.#of(uid) - bytes
    if (left === 0) this.#byUser.delete(uid)
    else this.#byUser.set(uid, left)
    this.#bytes -= bytes
  }

  #of(uid: number): number {
    return this.#byUser.get(uid) ?? 0
  }

  #isBeyond({ uid, bytes }: HeldFile, part: number): boolean {
    return this.#of(uid) + bytes > BYTES_MAX_EACH * part || this.#bytes + bytes > BYTES_MAX * part
  }

  /**
   * Files that are open stay. Not those in the directory of the lookup itself, which the kernel has
   * locked.
   */
  #ease(file: HeldFile, notices: KernelNotices | undefined): void {
    let over = Math.max(file.bytes, (BYTES_MAX_EACH * EASED) / 4)
    for (const held of this.#files.values()) {
      if (over <= 0) return
      if (held.uid !== file.uid && this.#of(file.uid) > BYTES_MAX_EACH * EASED) continue
      if (held.up === file.up) continue
      over -= held.bytes
      void notices?.entryChanged(held.up, held.name)
    }
  }
}
