// Units of a stream of bytes, each of which begins with its own length (u32, little-endian, itself
// counted), put together from pieces that are cut anywhere. Every byte is copied once at most,
// however large a unit is.

/** Longer units are a mistake of the sender. */
const UNIT_BYTES_MAX = 64 * 1024 * 1024
const LENGTH_BYTES = 4

export class Units {
  #parts: Buffer[] = []
  #bytes = 0
  /** How many bytes there must be to go on. */
  #wanted = LENGTH_BYTES

  /** How many bytes wait for the rest of their unit. */
  get waiting(): number {
    return this.#bytes
  }

  /**
   * Adds a piece. Returns bytes that begin with a unit and hold it whole, and perhaps more, of
   * which the caller gives back by `keep` what it did not take; undefined as long as the first one
   * is not whole. Throws RangeError for a length that cannot be.
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

  /** Takes back what follows the units that were taken; a copy is kept. */
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
