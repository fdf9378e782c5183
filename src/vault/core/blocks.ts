// Content-addressed blocks: hashes and compresses what goes to the store, loads and verifies what
// comes from it. Knows bytes and hashes, nothing of files.

import { hash as digest } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { EIO, FsError } from '../../base/errno.ts'
import { GenerationCache } from '../../base/generation-cache.ts'
import { CHUNK_BYTES } from '../../base/limits.ts'
import { log } from '../../base/log.ts'
import { type BlockRow, block } from '../../store/collections.ts'
import { type Store, StoreError } from '../../store/store.ts'
import { giveBytes } from './buffer-pool.ts'

const PLAIN = 0
const ZSTD = 1
/** Compression must save at least a tenth. */
const WORTHWHILE = 0.9
/**
 * After MISSES_MAX incompressible blocks in a row, only one block in MISSES_MAX is tried, and first
 * a sample of it.
 */
const MISSES_MAX = 8
const SAMPLE_BYTES = 4096
/** Bounds decompression: no block has more plain bytes than a chunk. */
const UNPACKED = { maxOutputLength: CHUNK_BYTES }
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }
/**
 * Above this size compression runs in the thread pool; below, the round trip costs more than the
 * work: 130 us against 16 us for 12 KiB.
 */
const SYNC_BYTES_MAX = 32 * 1024
const compressLarge = promisify(zstdCompress)

function compress(data: Uint8Array): Buffer | Promise<Buffer> {
  // Given the size in advance, zstd allocates tables to match.
  const options = { ...LEVEL, pledgedSrcSize: data.length }
  return data.length <= SYNC_BYTES_MAX
    ? zstdCompressSync(data, options)
    : compressLarge(data, options)
}

/**
 * Tries a sample of the bytes: a tenth of the work for all of them, and of the garbage it leaves.
 */
function seemsWorthwhile(data: Uint8Array): boolean {
  const from = Math.max(0, data.length - SAMPLE_BYTES) >>> 1
  const sample = data.subarray(from, from + SAMPLE_BYTES)
  const options = { ...LEVEL, pledgedSrcSize: sample.length }
  return zstdCompressSync(sample, options).length < sample.length * WORTHWHILE
}

/** The SHA-256 of some bytes, as a byte string. */
export function hashOf(bytes: Uint8Array): string {
  return digest('sha256', bytes, 'latin1' as 'hex')
}

/**
 * The plain bytes of a stored block. Throws StoreError 'corrupt' when they do not match the hash.
 */
export function unpackBlock(row: BlockRow): Uint8Array {
  try {
    const data = row.data ?? new Uint8Array()
    const bytes = row.codec === ZSTD ? zstdDecompressSync(data, UNPACKED) : data
    if (bytes.length === row.size && hashOf(bytes) === row.hash) return bytes
  } catch (error) {
    throw new StoreError('corrupt', `block ${hexOf(row.hash)} cannot be decompressed`, {
      cause: error,
    })
  }
  throw new StoreError('corrupt', `block ${hexOf(row.hash)} does not match its hash`)
}

/** Whether `unpackBlock` knows how the bytes of a block are packed. */
export function isKnownCodec(codec: number): boolean {
  return codec === PLAIN || codec === ZSTD
}

/** A hash in hexadecimal. */
export function hexOf(hash: string): string {
  return Buffer.from(hash, 'latin1').toString('hex')
}

export class Blocks {
  readonly #store: Store
  readonly #cache: GenerationCache<string, Uint8Array>
  /** Plain bytes of blocks that are not durable yet. */
  readonly #pending = new Map<string, Uint8Array>()
  #misses = 0
  hits = 0
  loads = 0

  constructor(store: Store, cacheBytes: number) {
    this.#store = store
    this.#cache = new GenerationCache(cacheBytes, (bytes) => bytes.length + 100)
  }

  /**
   * Adds bytes as a block and takes ownership of them. `row` is what the caller must put, or
   * undefined when the block is known to be stored or on its way.
   */
  add(bytes: Uint8Array): { hash: string; row: BlockRow | undefined } {
    const hash = hashOf(bytes)
    if (this.#pending.has(hash) || this.#cache.get(hash) !== undefined) {
      giveBytes(bytes)
      return { hash, row: undefined }
    }
    this.#pending.set(hash, bytes)
    return { hash, row: { hash, size: bytes.length, codec: PLAIN, data: bytes } }
  }

  /** The row to store: compressed where that helps, large ones in the thread pool. */
  async pack(row: BlockRow): Promise<BlockRow> {
    const { data } = row
    if (data === null) return row
    if (this.#misses >= MISSES_MAX && (this.#misses++ % MISSES_MAX !== 0 || !seemsWorthwhile(data)))
      return row
    const small = await compress(data)
    if (small.length >= data.length * WORTHWHILE) {
      this.#misses++
      return row
    }
    this.#misses = 0
    return { ...row, codec: ZSTD, data: small }
  }

  /** The block is durable, or was never needed: releases its bytes. */
  settle(hash: string): void {
    const bytes = this.#pending.get(hash)
    if (bytes === undefined) return
    this.#pending.delete(hash)
    giveBytes(bytes)
  }

  /**
   * Forgets a block whose row is about to be deleted, so that the next `add` of the same bytes puts
   * a new row. Returns false when the block is on its way to the store and must stay.
   */
  drop(hash: string): boolean {
    if (this.#pending.has(hash)) return false
    this.#cache.delete(hash)
    return true
  }

  /** The plain bytes of a block, verified. Logs and throws EIO when it is missing or damaged. */
  load(hash: string): Uint8Array {
    const known = this.#cache.get(hash) ?? this.#pending.get(hash)
    if (known !== undefined) {
      this.hits++
      return known
    }
    this.loads++
    const row = this.#store.get(block, [hash])
    if (row === undefined) {
      log('error', `block ${hexOf(hash)} is missing`)
      throw new FsError(EIO)
    }
    try {
      const bytes = unpackBlock(row)
      this.#cache.set(hash, bytes)
      return bytes
    } catch (error) {
      log('error', 'a block is damaged; the bytes it holds are answered with EIO', error)
      throw new FsError(EIO)
    }
  }
}
