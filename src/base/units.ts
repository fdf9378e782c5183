// Reassembles units of a byte stream from pieces that are cut anywhere. Each unit begins with its
// own length (u32, little-endian, including itself). Every byte is copied at most once, however
// large a unit is.

/** A longer unit is an error of the sender. */
const UNIT_BYTES_MAX = 64 * 1024 * 1024
const LENGTH_BYTES = 4

export class Units {
  #parts: Buffer[] = []
  #bytes = 0
  /** Number of bytes needed to continue. */
  #wanted = LENGTH_BYTES

  /** Number of bytes that wait for the rest of their unit. */
  get waiting(): number {
    return this.#bytes
  }

  /**
   * Adds a piece. Returns bytes that begin with a whole unit, possibly followed by more, of which
   * the caller returns by `keep` what it did not use; undefined until the first unit is complete.
   * Throws RangeError for an impossible length.
   */
  add(piece: Uint8Array): Buffer | undefined {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length)
    if (this.#bytes === 0) return this.#whole(bytes) ? bytes : this.#wait(bytes)
    this.keep(bytes)
    if (this.#bytes < this.#wanted) return undefined
    const joined = Buffer.concat(this.#parts)
    this.#parts = [joined]
    if (!this.#whole(joined)) return undefined
    this.#parts = []
    this.#bytes = 0
    this.#wanted = LENGTH_BYTES
    return joined
  }

  /** Takes back what follows the units that were used; keeps a copy. */
  keep(rest: Buffer): void {
    if (rest.length === 0) return
    const isFirst = this.#bytes === 0
    const copy = Buffer.from(rest)
    this.#parts.push(copy)
    this.#bytes += copy.length
    if (isFirst) this.#whole(copy)
  }

  #wait(bytes: Buffer): undefined {
    this.keep(bytes)
    return undefined
  }

  #whole(bytes: Buffer): boolean {
    this.#wanted = LENGTH_BYTES
    if (bytes.length < LENGTH_BYTES) return false
    const length = bytes.readUInt32LE(0)
    if (length < LENGTH_BYTES || length > UNIT_BYTES_MAX)
      throw new RangeError('this is no stream of records')
    this.#wanted = length
    return bytes.length >= length
  }
}
