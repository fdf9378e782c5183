// Writes keys, values and batches to a growing buffer that is reused: the writing half of the codec
// (cursor.ts reads). Knows column types, not rows.
//
//   in a key     order of bytes = order of values
//     uint, int  u8 8 + n, then n bytes, big-endian, the first not 0; negative: u8 8 - n, then
//                the n bytes of the magnitude, inverted
//     strings    their bytes; unless it is the key's last part, 0 as 0 255, and 0 0 at the end
//   in a value
//     uint       7 bits a byte, the lowest first, bit 7: more follow
//     int        the first byte: bit 0 sign, bits 1-6 of the magnitude, bit 7: more follow; then
//                as a uint
//     strings    length as a uint, bytes: names and digests a byte a char, text in UTF-8
//     bytes      length + 1 as a uint, bytes; 0 is null

/** A string's bytes: 'latin1' for a byte string (a char a byte), 'utf8' for text. */
export type Encoding = 'latin1' | 'utf8'

const BYTES_MIN = 64 * 1024
/** Space that is ensured before a number or the length of a string is written. */
const SMALL_BYTES = 16
/**
 * A larger buffer is not kept for the next batch. Batches of a busy writer have 24 MiB, in buffers
 * of up to twice that.
 */
const KEPT_BYTES_MAX = 48 * 1024 * 1024
const LOW = 2 ** 32
/** A bound above all numbers: the end of the last chunk of a file of maximal length. */
const UINT_END = 2 ** 53

function unfit(type: string, value: unknown): TypeError {
  return new TypeError(`a ${type} cannot hold ${String(value)}`)
}

/** Writers for reuse, so that batches need not allocate; as many as were ever in use at once. */
export class WriterPool {
  readonly #free: Writer[] = []

  /** An empty writer. */
  take(): Writer {
    return (this.#free.pop() ?? new Writer()).reset()
  }

  give(writer: Writer): void {
    this.#free.push(writer)
  }
}

/** Every method throws TypeError for a value that does not fit: a bug of the caller. */
export class Writer {
  bytes = Buffer.allocUnsafeSlow(BYTES_MIN)
  length = 0

  /** Starts over; what was written before is overwritten. */
  reset(): this {
    this.length = 0
    if (this.bytes.byteLength > KEPT_BYTES_MAX) this.bytes = Buffer.allocUnsafeSlow(BYTES_MIN)
    return this
  }

  /** What was written, as a view of the buffer. */
  written(): Buffer {
    return this.bytes.subarray(0, this.length)
  }

  /** Ensures space for `bytes` more bytes. */
  room(bytes: number): void {
    const needed = this.length + bytes
    if (needed <= this.bytes.byteLength) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.byteLength * 2))
    larger.set(this.bytes.subarray(0, this.length))
    this.bytes = larger
  }

  u8(value: number): void {
    this.room(1)
    this.bytes[this.length++] = value
  }

  keyUint(value: unknown): void {
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw unfit('uint', value)
    this.#keyNumber(value as number, 0)
  }

  /** A uint of a key that is looked up, or the bound above all of them. */
  keyBound(value: unknown): void {
    if (value === UINT_END) this.#keyNumber(UINT_END, 0)
    else this.keyUint(value)
  }

  keyInt(value: unknown): void {
    if (!Number.isSafeInteger(value)) throw unfit('int', value)
    if ((value as number) < 0) this.#keyNumber(-(value as number), 0xff)
    else this.#keyNumber(value as number, 0)
  }

  #keyNumber(magnitude: number, inversion: number): void {
    this.room(SMALL_BYTES)
    const { bytes } = this
    const high = Math.floor(magnitude / LOW)
    const low = magnitude >>> 0
    const count =
      high > 0 ? 8 - (Math.clz32(high) >>> 3) : low > 0 ? 4 - (Math.clz32(low) >>> 3) : 0
    let at = this.length
    bytes[at++] = inversion === 0 ? 8 + count : 8 - count
    for (let shift = (count - 5) * 8; shift >= 0; shift -= 8)
      bytes[at++] = (high >>> shift) ^ inversion
    for (let shift = (Math.min(count, 4) - 1) * 8; shift >= 0; shift -= 8)
      bytes[at++] = (low >>> shift) ^ inversion
    this.length = at
  }

  /** A string that is the last part of a whole key. */
  keyLast(value: unknown, encoding: Encoding): void {
    if (typeof value !== 'string') throw unfit('name', value)
    this.#raw(value, encoding)
  }

  /** A string that other parts may follow. */
  keyString(value: unknown, encoding: Encoding): void {
    if (typeof value !== 'string') throw unfit('name', value)
    const start = this.length
    this.#raw(value, encoding)
    let zeros = 0
    for (let i = start; i < this.length; i++) if (this.bytes[i] === 0) zeros++
    this.room(zeros + 2)
    const { bytes } = this
    const end = this.length + zeros
    // Backwards, so that each byte is moved before it is overwritten.
    for (let from = this.length - 1, to = end - 1; zeros > 0; from--) {
      if (bytes[from] === 0) {
        bytes[to--] = 0xff
        zeros--
      }
      bytes[to--] = bytes[from] as number
    }
    bytes[end] = 0
    bytes[end + 1] = 0
    this.length = end + 2
  }

  uint(value: unknown): void {
    if (!Number.isSafeInteger(value) || (value as number) < 0) throw unfit('uint', value)
    this.room(SMALL_BYTES)
    this.#varint(value as number)
  }

  int(value: unknown): void {
    if (!Number.isSafeInteger(value)) throw unfit('int', value)
    this.room(SMALL_BYTES)
    const negative = (value as number) < 0 ? 1 : 0
    const magnitude = Math.abs(value as number)
    const first = ((magnitude % 64) << 1) | negative
    if (magnitude < 64) this.bytes[this.length++] = first
    else {
      this.bytes[this.length++] = first | 0x80
      this.#varint(Math.floor(magnitude / 64))
    }
  }

  #varint(value: number): void {
    const { bytes } = this
    let at = this.length
    let rest = value
    for (; rest >= LOW; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 0x80
    for (rest = rest >>> 0; rest >= 128; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80
    bytes[at++] = rest
    this.length = at
  }

  string(value: unknown, encoding: Encoding): void {
    if (typeof value !== 'string') throw unfit(encoding === 'utf8' ? 'text' : 'name', value)
    this.uint(encoding === 'utf8' ? Buffer.byteLength(value) : value.length)
    this.#raw(value, encoding)
  }

  blob(value: unknown): void {
    if (value === null) {
      this.u8(0)
      return
    }
    if (!(value instanceof Uint8Array)) throw unfit('bytes', value)
    this.uint(value.byteLength + 1)
    this.append(value)
  }

  /** Whether a row of a split collection has bytes, which are then written apart, by `append`. */
  blobFlag(value: unknown): void {
    if (value !== null && !(value instanceof Uint8Array)) throw unfit('bytes', value)
    this.u8(value === null ? 0 : 1)
  }

  append(value: Uint8Array): void {
    this.room(value.byteLength)
    this.bytes.set(value, this.length)
    this.length += value.byteLength
  }

  #raw(value: string, encoding: Encoding): void {
    this.room(encoding === 'utf8' ? value.length * 3 : value.length)
    this.length += this.bytes.write(value, this.length, encoding)
  }
}
