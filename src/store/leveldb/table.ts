// Verifies a table file of LevelDB by the checksum of each of its blocks, which the binding does
// not check when it reads. Only reads the file; knows nothing of the contents of blocks.
//
//   block     contents, u8 type (0 plain, 1 snappy), u32 masked CRC-32C of both
//   index     a block of entries: shared, own and value length (varints), key, value = handle of
//             a block; then u32 restarts, their count
//   meta      an index of the blocks beside the data: the filter, which says that a key is absent
//   footer    the last 48 bytes: handles of the meta index and of the index, padding, u64 magic
//   handle    offset and size of the contents as varints

import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { crc32c, masked } from './crc32c.ts'
import { unsnappy } from './snappy.ts'

const FOOTER_BYTES = 48
const MAGIC = 0xdb4775248b80fb57n
const TRAILER_BYTES = 5
const SNAPPY = 1
/** Bytes to check before other work gets a turn. */
const SLICE_BYTES = 1024 * 1024

interface Handle {
  readonly offset: number
  readonly size: number
}

/** Findings about a table file: [] when it is sound, or gone because LevelDB has removed it. */
export async function verifyTable(path: string): Promise<string[]> {
  const name = basename(path)
  let file: FileHandle
  try {
    file = await open(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
  try {
    return await verifyBlocks(file, name)
  } catch (error) {
    if (error instanceof RangeError) return [`${name}: ${error.message}`]
    throw error
  } finally {
    await file.close()
  }
}

async function verifyBlocks(file: FileHandle, name: string): Promise<string[]> {
  const { size } = await file.stat()
  if (size < FOOTER_BYTES) return [`${name} is too short`]
  const footer = await readAt(file, size - FOOTER_BYTES, FOOTER_BYTES)
  if (footer.readBigUInt64LE(FOOTER_BYTES - 8) !== MAGIC) return [`${name} has no footer`]
  const handles = new Varints(footer)
  const meta = await readBlock(file, handles.handle())
  const index = await readBlock(file, handles.handle())
  if (meta === undefined || index === undefined)
    return [`${name}: the index does not match its checksum`]
  const findings: string[] = []
  let unheard = 0
  for (const handle of [...handlesOf(meta), ...handlesOf(index)]) {
    if ((await readBlock(file, handle)) === undefined)
      findings.push(`${name}: the block at ${handle.offset} does not match its checksum`)
    unheard += handle.size
    if (unheard < SLICE_BYTES) continue
    unheard = 0
    await setImmediate()
  }
  return findings
}

/**
 * The decompressed contents of a block, or undefined if they do not match their checksum. Throws
 * RangeError for bytes that are not a block.
 */
async function readBlock(file: FileHandle, { offset, size }: Handle): Promise<Buffer | undefined> {
  const bytes = await readAt(file, offset, size + TRAILER_BYTES)
  if (bytes.readUInt32LE(size + 1) !== masked(crc32c(bytes.subarray(0, size + 1)))) return undefined
  const contents = bytes.subarray(0, size)
  return bytes[size] === SNAPPY ? unsnappy(contents) : contents
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const { size } = await file.stat()
  if (offset + length > size) throw new RangeError(`a block at ${offset} is beyond the end`)
  const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, offset)
  if (bytesRead < length) throw new RangeError(`a block at ${offset} is cut short`)
  return buffer
}

/** The handles of the blocks that an index block refers to. */
function handlesOf(index: Buffer): Handle[] {
  const restarts = index.readUInt32LE(index.length - 4)
  const entries = new Varints(index.subarray(0, index.length - 4 * (restarts + 1)))
  const found: Handle[] = []
  while (!entries.ended) {
    entries.next()
    const own = entries.next()
    const value = entries.next()
    entries.skip(own)
    const end = entries.at + value
    found.push(entries.handle())
    entries.skip(end - entries.at)
  }
  return found
}

/** Reads varints one after the other. Throws RangeError at the end of the bytes. */
class Varints {
  readonly #bytes: Buffer
  at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get ended(): boolean {
    return this.at >= this.#bytes.length
  }

  next(): number {
    let value = 0
    for (let weight = 1; ; weight *= 128) {
      const byte = this.#bytes.readUInt8(this.at++)
      value += (byte & 0x7f) * weight
      if (byte < 128) return value
    }
  }

  handle(): Handle {
    return { offset: this.next(), size: this.next() }
  }

  skip(count: number): void {
    this.at += count
  }
}
