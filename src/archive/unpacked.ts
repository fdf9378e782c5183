// What is in a stream that may be compressed, told by its first bytes. gzip and zstd are read to
// their very end, all members and frames of them; of others it is said what they are.

import { Readable, type Transform } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { ArchiveError, ENDS_TOO_EARLY } from './errors.ts'
import { isZstd, zstdFrames } from './zstd-frames.ts'

/**
 * What begins with these bytes (hexadecimal), and the program that unpacks it to its standard
 * output.
 */
const OTHERS: readonly (readonly [magic: string, name: string, program: string])[] = [
  ['fd377a585a00', 'xz', 'xz -dc'],
  ['425a68', 'bzip2', 'bzip2 -dc'],
  ['04224d18', 'lz4', 'lz4 -dc'],
  ['02214c18', 'lz4', 'lz4 -dc'],
  ['4c5a4950', 'lzip', 'lzip -dc'],
  ['894c5a4f000d0a1a0a', 'lzop', 'lzop -dc'],
  ['1f9d', 'compress', 'gzip -dc'],
  ['5d00008000', 'lzma', 'xz -dc --format=lzma'],
]
const MAGIC_BYTES_MAX = 16

/** Compressed in a way that is not read here. */
export class CompressionError extends Error {
  /** What it is called. */
  readonly compression: string
  /** The command that unpacks it from its standard input. */
  readonly program: string
  constructor(compression: string, program: string) {
    super(`compressed by ${compression}`)
    this.name = 'CompressionError'
    this.compression = compression
    this.program = program
  }
}

/**
 * The bytes that a stream holds, unpacked. They end with ArchiveError where the stream is damaged,
 * ends too early or goes on behind its end. Rejects with CompressionError.
 */
export async function unpacked(
  source: AsyncIterable<Uint8Array>,
): Promise<AsyncIterable<Uint8Array>> {
  const pieces = source[Symbol.asyncIterator]()
  const parts: Uint8Array[] = []
  let first = Buffer.alloc(0)
  while (first.length < MAGIC_BYTES_MAX) {
    const next = await pieces.next()
    if (next.done === true) break
    parts.push(next.value)
    first = Buffer.concat([first, next.value])
  }
  const all = joined(parts, pieces)
  const text = first.toString('hex')
  if (text.startsWith('1f8b')) return gunzipped(all)
  if (isZstd(first)) return decoded(zstdFrames(all), createZstdDecompress())
  const other = OTHERS.find(([magic]) => text.startsWith(magic))
  if (other === undefined) return all
  throw new CompressionError(other[1], other[2])
}

async function* joined(
  first: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* first
  for (;;) {
    const next = await rest.next()
    if (next.done === true) return
    yield next.value
  }
}

async function* decoded(
  source: AsyncIterable<Uint8Array>,
  decoder: Transform,
): AsyncGenerator<Buffer> {
  const from = Readable.from(source)
  from.on('error', (error) => decoder.destroy(error))
  try {
    yield* from.pipe(decoder) as AsyncIterable<Buffer>
  } catch (error) {
    throw error instanceof Error && 'errno' in error && 'code' in error ? plainer(error) : error
  }
}

/** What zlib says, in words. */
function plainer(error: Error): Error {
  const { code } = error as NodeJS.ErrnoException
  if (!code?.startsWith('Z_') && !code?.startsWith('ZSTD_')) return error
  const message =
    code === 'Z_BUF_ERROR' ? ENDS_TOO_EARLY : `the compressed data is damaged (${error.message})`
  return new ArchiveError(message, { cause: error })
}

/**
 * Members in a row are one stream, and zeros behind them padding; Node's decoder reads them so, but
 * ends at any padding.
 */
async function* gunzipped(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let given = 0
  /** Where the last byte ends that is no padding. */
  let solid = 0
  const pieces = counted()
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const piece of source) {
      const last = piece.findLastIndex((byte) => byte !== 0)
      if (last >= 0) solid = given + last + 1
      given += piece.length
      yield piece
    }
  }
  const gunzip = createGunzip()
  yield* decoded(pieces, gunzip)
  for await (const _ of pieces);
  if (solid > gunzip.bytesWritten)
    throw new ArchiveError('behind the gzip stream there is something else')
}
