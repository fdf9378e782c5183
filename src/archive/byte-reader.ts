// Bytes of a stream in the portions that a reader asks for.

export interface ByteReader {
  /** The next `length` bytes, or undefined at the end of the stream. Throws Error when it ends within them. */
  exactly(length: number): Promise<Buffer | undefined>
  /** Some of the next bytes, at least one and at most `length`; undefined at the end. */
  some(length: number): Promise<Buffer | undefined>
  /** Leaves bytes out. Throws Error when the stream ends within them. */
  skip(length: number): Promise<void>
}

export function byteReader(source: AsyncIterable<Uint8Array>): ByteReader {
  const pieces = source[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  const more = async (): Promise<boolean> => {
    const next = await pieces.next()
    if (next.done === true) return false
    const { buffer, byteOffset, length } = next.value
    const piece = Buffer.from(buffer, byteOffset, length)
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    return true
  }
  const take = (length: number): Buffer => {
    const taken = rest.subarray(0, length)
    rest = rest.subarray(length)
    return taken
  }
  const reader: ByteReader = {
    async exactly(length) {
      while (rest.length < length)
        if (!(await more())) {
          if (rest.length === 0) return undefined
          throw new Error('the archive ends too early')
        }
      return take(length)
    },
    async some(length) {
      while (rest.length === 0) if (!(await more())) return undefined
      return take(Math.min(length, rest.length))
    },
    async skip(length) {
      for (let left = length; left > 0; ) {
        const bytes = await reader.some(left)
        if (bytes === undefined) throw new Error('the archive ends too early')
        left -= bytes.length
      }
    },
  }
  return reader
}
