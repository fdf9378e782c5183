// Small files that were written whole a moment ago, with the content that an index would otherwise
// read back from the store. A file is kept until it is indexed or changed, while an index follows
// and memory allows; other files are read from the store.

import type { InodeRow } from '../../store/collections.ts'

/** Of content. An index that falls further behind reads from the store. */
const BYTES_MAX = 32 * 1024 * 1024
/** Size of the slabs that contents are copied into. */
const PIECE_BYTES = 512 * 1024

/** A file with one version, described by its row. */
export interface FreshFile {
  /** The very row object that was put: any change puts another. */
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

  /** Starts or stops keeping files. */
  want(isWanted: boolean): void {
    this.#isWanted = isWanted
    if (isWanted) return
    this.#files.clear()
    this.#bytes = 0
    this.#memory = new Uint8Array(0)
    this.#used = 0
  }

  /** Offers a new file whose first version has this content, which is copied. */
  offer(row: InodeRow, content: Uint8Array): void {
    if (!this.#isWanted || this.#bytes + content.length > BYTES_MAX) return
    this.#bytes += content.length
    this.#files.set(row.ino, { row, bytes: this.#copy(content), isDurable: false })
  }

  /** Notes the state of an inode that is now durable; undefined: the inode is gone. */
  note(ino: number, row: object | undefined): void {
    const file = this.#files.get(ino)
    if (file === undefined) return
    if (file.row === row) file.isDurable = true
    else this.forget(ino)
  }

  /** The file, if it is durable and unchanged. */
  peek(ino: number): FreshFile | undefined {
    const file = this.#files.get(ino)
    return file?.isDurable === true ? file : undefined
  }

  /** Drops a file, because it was indexed or changed. */
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
