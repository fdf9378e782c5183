// Remembers which file or folder a path led to, to detect that it was replaced or removed. The file
// is held open meanwhile, since a free inode number is given to the next file.

import { closeSync, constants, fstatSync, openSync, type Stats, statSync } from 'node:fs'
import { systemCode } from '../wire/errors.ts'

/**
 * O_PATH of open(2), for which Node has no constant: it needs no permission on the file, and
 * closing it releases none of this process's locks.
 */
const O_PATH = 0o10000000

/** What happened to a path. */
export type Loss = 'removed' | 'replaced'

export class Identity {
  readonly path: string
  readonly #fd: number
  readonly #device: number
  readonly #ino: number

  /**
   * Takes over an open descriptor of what is at `path`, or opens it. Throws the error of open(2).
   */
  constructor(path: string, fd = openSync(path, O_PATH | constants.O_NOFOLLOW)) {
    this.path = path
    this.#fd = fd
    const { dev, ino } = fstatSync(fd)
    this.#device = dev
    this.#ino = ino
  }

  /** Undefined while the path leads to the same file, or cannot be looked up now. */
  loss(): Loss | undefined {
    let found: Stats | undefined
    try {
      found = statSync(this.path, { throwIfNoEntry: false })
    } catch (error) {
      // A folder of the path is a file now.
      return systemCode(error) === 'ENOTDIR' ? 'removed' : undefined
    }
    if (found === undefined) return 'removed'
    return found.dev === this.#device && found.ino === this.#ino ? undefined : 'replaced'
  }

  close(): void {
    closeSync(this.#fd)
  }
}
