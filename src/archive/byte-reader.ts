// Reads a stream in portions of requested lengths.

import { ArchiveError, ENDS_TOO_EARLY } from './errors.ts'

/** Its methods throw ArchiveError when the stream cannot be read on. */
export interface ByteReader {
  /** The next `length` bytes, or fewer at the end of the stream. */
  upTo(length: number): Promise<Buffer>
  /** The next `length` bytes. Throws ArchiveError when the stream ends before. */
  exactly(length: number): Promise<Buffer>
  /** At least one and at most `length` of the next bytes. Throws ArchiveError at the end. */
  some(length: number): Promise<Buffer>
  /** Skips bytes. Throws ArchiveError when the stream ends within them. */
  skip(length: number): Promise<void>
}

export function byteReader(source: AsyncIterable<Uint8Array>): ByteReader {
  const pieces = source[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  const more = async (): Promise<boolean> => {
    const next = await pieces.next().catch((error: unknown) => {
      throw error instanceof ArchiveError
        ? error
        : new ArchiveError(error instanceof Error ? error.message : String(error), { cause: error })
    })
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
    async upTo(length) {
      while (rest.length < length) if (!(await more())) break
      return take(length)
    },
    async exactly(length) {
      const bytes = await reader.upTo(length)
      if (bytes.length < length) throw new ArchiveError(ENDS_TOO_EARLY)
      return bytes
    },
    async some(length) {
      while (rest.length === 0) if (!(await more())) throw new ArchiveError(ENDS_TOO_EARLY)
      return take(Math.min(length, rest.length))
    },
    async skip(length) {
      for (let left = length; left > 0; ) left -= (await reader.some(left)).length
    },
  }
  return reader
}
