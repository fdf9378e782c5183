// Finds the ends of the frames of a zstd stream (RFC 8878, "Zstandard Frames"). Concatenated frames
// are one stream (cat of parts, pzstd, t2sz, zstd:chunked), and skippable ones may be anywhere.
// Node's decoder ignores what follows a frame in the same piece, but continues if the next piece
// begins with a frame: so pieces are cut there. Knows no tar.

import { type ByteReader, byteReader } from './byte-reader.ts'
import { ArchiveError } from './errors.ts'

const MAGIC = 0xfd2fb528
/** The lowest four bits are arbitrary. */
const SKIPPABLE_MAGIC = 0x184d2a50
const MAGIC_BYTES = 4
const SUM_BYTES = 4
const BLOCK_HEAD_BYTES = 3
const BLOCK_BYTES_MAX = 128 * 1024
const RLE_BLOCK = 1
const RESERVED_BLOCK = 3

/** True for the first bytes of a zstd stream. */
export function isZstd(first: Buffer): boolean {
  if (first.length < MAGIC_BYTES) return false
  const magic = first.readUInt32LE(0)
  return magic === MAGIC || isSkippable(magic)
}

function isSkippable(magic: number): boolean {
  return (magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC
}

/**
 * The same bytes without skippable frames, in pieces that never span two frames. Zeros after the
 * last frame are padding. Throws ArchiveError if the stream ends within a frame or continues with
 * something else.
 */
export async function* zstdFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const reader = byteReader(source)
  for (;;) {
    const bytes = await reader.upTo(MAGIC_BYTES)
    const magic = bytes.length === MAGIC_BYTES ? bytes.readUInt32LE(0) : 0
    if (magic === MAGIC) yield* frame(reader, bytes)
    else if (isSkippable(magic)) await reader.skip((await reader.exactly(4)).readUInt32LE(0))
    else if (bytes.some((byte) => byte !== 0))
      throw new ArchiveError('behind the zstd stream there is something else')
    else if (bytes.length < MAGIC_BYTES) return
  }
}

async function* frame(reader: ByteReader, magic: Buffer): AsyncGenerator<Buffer> {
  const descriptor = await reader.exactly(1)
  const said = descriptor.readUInt8(0)
  let parts = [magic, descriptor, await reader.exactly(headerBytesOf(said))]
  for (let isLast = false; !isLast; ) {
    const head = await reader.exactly(BLOCK_HEAD_BYTES)
    const value = head.readUIntLE(0, BLOCK_HEAD_BYTES)
    isLast = (value & 1) === 1
    const type = (value >> 1) & 3
    const size = type === RLE_BLOCK ? 1 : value >> 3
    if (type === RESERVED_BLOCK || size > BLOCK_BYTES_MAX)
      throw new ArchiveError('the zstd stream is damaged')
    parts.push(head, await reader.exactly(size))
    if (isLast && (said & 4) !== 0) parts.push(await reader.exactly(SUM_BYTES))
    yield Buffer.concat(parts)
    parts = []
  }
}

/** The length of a frame's header after its descriptor: window, dictionary id and content size. */
function headerBytesOf(descriptor: number): number {
  const isSingle = (descriptor & 0x20) !== 0
  const dictionary = [0, 1, 2, 4][descriptor & 3] as number
  const size = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] as number
  return (isSingle ? 0 : 1) + dictionary + size
}
