// What a command changed, gathered while it runs for those who watch directories: each name once,
// with what it led to before, and of very many names only the directories that they are in. What
// lies in a directory that came is found by whoever hears of that.

import { DT_DIR } from '../../base/mode.ts'
import type { EntryRow } from '../../store/collections.ts'

/**
 * A name that leads to something else than it did; `before` is undefined where there was nothing.
 */
export interface NameChange {
  readonly parent: number
  readonly name: string
  readonly before: EntryRow | undefined
}

export interface Changes {
  /** In the order in which they were changed. */
  readonly names: readonly NameChange[]
  /** Inodes of which something else changed, and directories with more names than are told. */
  readonly inodes: readonly number[]
  /** Files of which the kernel believes a size that is not theirs. */
  readonly sizes?: readonly number[]
}

/** What a name leads to now. */
export interface Target {
  readonly ino: number
  readonly type: number
}

/** So many names are told one by one, and so many inodes: some tenths of a millisecond each. */
const TOLD_MAX = 1000

export class Gathered {
  readonly #names = new Map<string, NameChange>()
  readonly #inodes = new Set<number>()
  readonly #came = new Set<number>()

  addName(
    parent: number,
    name: string,
    before: EntryRow | undefined,
    after: Target | undefined,
  ): void {
    const key = `${parent}/${name}`
    if (after?.type === DT_DIR && before === undefined) this.#came.add(after.ino)
    if (this.#came.has(parent) || this.#names.has(key)) return
    if (this.#names.size < TOLD_MAX) this.#names.set(key, { parent, name, before })
    else this.addInode(parent)
  }

  addInode(ino: number): void {
    if (this.#inodes.size < TOLD_MAX && !this.#came.has(ino)) this.#inodes.add(ino)
  }

  /** All so far; what comes then is gathered anew. */
  take(): Changes {
    const changes = { names: [...this.#names.values()], inodes: [...this.#inodes] }
    this.#names.clear()
    this.#inodes.clear()
    this.#came.clear()
    return changes
  }
}
