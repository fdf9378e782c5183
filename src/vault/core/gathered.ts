// What a command changed, gathered while it runs for programs that watch directories: each name
// once, with what it led to before. Beyond TOLD_MAX names only their directories are told. Of a new
// directory only its own name is told: the watcher finds what is in it.

import { DT_DIR } from '../../base/mode.ts'
import type { EntryRow } from '../../store/collections.ts'

/** A name that leads to another inode now; `before` is undefined where there was none. */
export interface NameChange {
  readonly parent: number
  readonly name: string
  readonly before: EntryRow | undefined
}

export interface Changes {
  /** In the order of the changes. */
  readonly names: readonly NameChange[]
  /** Inodes with other changes, and directories with more changed names than are told. */
  readonly inodes: readonly number[]
  /** Files whose size the kernel has wrong. */
  readonly sizes?: readonly number[]
}

/** What a name leads to now. */
export interface Target {
  readonly ino: number
  readonly type: number
}

/** Names told one by one, and inodes: some tenths of a millisecond each. */
const TOLD_MAX = 1000

export class Gathered {
  readonly #names = new Map<string, NameChange>()
  readonly #inodes = new Set<number>()
  readonly #came = new Set<number>()

  /** Adds a name that leads to `after` now and led to `before`; the first `before` is kept. */
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

  /** Adds an inode whose attributes or content changed. */
  addInode(ino: number): void {
    if (this.#inodes.size < TOLD_MAX && !this.#came.has(ino)) this.#inodes.add(ino)
  }

  /** Returns all so far, and starts anew. */
  take(): Changes {
    const changes = { names: [...this.#names.values()], inodes: [...this.#inodes] }
    this.#names.clear()
    this.#inodes.clear()
    this.#came.clear()
    return changes
  }
}
