// Decompresses a stream whose format is detected by its first bytes. gzip and zstd are read to the
// very end, with all members and frames; other formats are only identified.

import { Readable, type Transform } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { ArchiveError, ENDS_TOO_EARLY } from './errors.ts'
import { isZstd, zstdFrames } from './zstd-frames.ts'

/**
 * The first bytes of a format (hexadecimal), its name, and the program that decompresses it to
 * standard output.
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

/** A compression that is not supported here. */
export class CompressionError extends Error {
  /** Its name. */
  readonly compression: string
  /** The command that decompresses its standard input. */
  readonly program: string
  constructor(compression: string, program: string) {
    super(`compressed by ${compression}`)
    this.name = 'CompressionError'
    this.compression = compression
    this.program = program
  }
}

/**
 * The decompressed bytes of a stream. They end with ArchiveError if the stream is damaged, cut off,
 * or followed by other data. Rejects with CompressionError.
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

/** zlib's errors in plain words. */
function plainer(error: Error): Error {
  const { code } = error as NodeJS.ErrnoException
  if (!code?.startsWith('Z_') && !code?.startsWith('ZSTD_')) return error
  const message =
    code === 'Z_BUF_ERROR' ? ENDS_TOO_EARLY : `the compressed data is damaged (${error.message})`
  return new ArchiveError(message, { cause: error })
}

/**
 * Concatenated members are one stream, and zeros after them are padding. Node's decoder agrees, but
 * stops at padding, so whatever it has not read must be zeros.
 */
async function* gunzipped(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let given = 0
  /** The end of the last byte that is not padding. */
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
