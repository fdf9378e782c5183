// Small files that were made whole a moment ago, as long as nobody has taken them into an index and
// nothing has changed them: what an index would read of them is in memory here. Kept while somebody
// wants them, and only as many as fit; of the others it reads.

import type { InodeRow } from '../../store/collections.ts'

/** Of content. An index that follows slower than files come reads what is beyond. */
const BYTES_MAX = 32 * 1024 * 1024
/** Pieces of memory that contents are copied into. */
const PIECE_BYTES = 512 * 1024

/** A file of one version, which is what its row says. */
export interface FreshFile {
  /** The very row that was put: any change puts another. */
  readonly row: InodeRow
  readonly bytes: Uint8Array
  /** Whether the row is durable. */
  isDurable: boolean
}

export class FreshFiles {
  readonly #files = new Map<number, FreshFile>()
  #isWanted = false
  #bytes = 0
  #memory = new Uint8Array(0)
  #used = 0

  /** From here on files are kept, or none any more. */
  want(isWanted: boolean): void {
    this.#isWanted = isWanted
    if (isWanted) return
    this.#files.clear()
    this.#bytes = 0
    this.#memory = new Uint8Array(0)
    this.#used = 0
  }

  /** A file was made, whose first version has this content; it is copied. */
  offer(row: InodeRow, content: Uint8Array): void {
    if (!this.#isWanted || this.#bytes + content.length > BYTES_MAX) return
    this.#bytes += content.length
    this.#files.set(row.ino, { row, bytes: this.#copy(content), isDurable: false })
  }

  /** The state of an inode that is durable now; undefined where it is gone. */
  note(ino: number, row: object | undefined): void {
    const file = this.#files.get(ino)
    if (file === undefined) return
    if (file.row === row) file.isDurable = true
    else this.forget(ino)
  }

  /** A file that is durable and unchanged. */
  peek(ino: number): FreshFile | undefined {
    const file = this.#files.get(ino)
    return file?.isDurable === true ? file : undefined
  }

  forget(ino: number): void {
    const file = this.#files.get(ino)
    if (file === undefined) return
    this.#files.delete(ino)
    this.#bytes -= file.bytes.length
  }

  #copy(content: Uint8Array): Uint8Array {
    const { length } = content
    if (this.#used + length > this.#memory.length) {
      this.#memory = new Uint8Array(Math.max(PIECE_BYTES, length))
      this.#used = 0
    }
    const copied = this.#memory.subarray(this.#used, this.#used + length)
    copied.set(content)
    this.#used += length
    return copied
  }
}
