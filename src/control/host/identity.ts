// Which file or folder a path led to, so that it is noticed when it leads to another, or to none.
// It is held open meanwhile: a number of an inode that nobody holds is given to the next file.

import { closeSync, constants, fstatSync, openSync, type Stats, statSync } from 'node:fs'
import { systemCode } from '../wire/errors.ts'

/**
 * O_PATH of open(2), which Node does not name: no permission is asked for, and closing it lets go
 * of no lock of this process.
 */
const O_PATH = 0o10000000

/** What became of a path. */
export type Loss = 'removed' | 'replaced'

export class Identity {
  readonly path: string
  readonly #fd: number
  readonly #device: number
  readonly #ino: number

  /**
   * Takes an open descriptor of what is at `path` over; without one, opens it. Throws what open(2)
   * says.
   */
  constructor(path: string, fd = openSync(path, O_PATH | constants.O_NOFOLLOW)) {
    this.path = path
    this.#fd = fd
    const { dev, ino } = fstatSync(fd)
    this.#device = dev
    this.#ino = ino
  }

  /** Undefined as long as the path leads to the same, or cannot be looked up now. */
  loss(): Loss | undefined {
    let found: Stats | undefined
    try {
      found = statSync(this.path, { throwIfNoEntry: false })
    } catch (error) {
      // A folder on the way is a file now.
      return systemCode(error) === 'ENOTDIR' ? 'removed' : undefined
    }
    if (found === undefined) return 'removed'
    return found.dev === this.#device && found.ino === this.#ino ? undefined : 'replaced'
  }

  close(): void {
    closeSync(this.#fd)
  }
}
