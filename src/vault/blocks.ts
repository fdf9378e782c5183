// Content-addressed blocks: hashing and compressing what is on its way to the store, loading and verifying what is there.
// Knows bytes and hashes, nothing of files.

import { hash as digest, webcrypto } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompressSync } from 'node:zlib'
import { EIO, FsError } from '../base/errno.ts'
import { GenerationCache } from '../base/generation-cache.ts'
import { log } from '../base/log.ts'
import { type BlockRow, block } from '../store/collections.ts'
import { type Store, StoreError } from '../store/store.ts'

const PLAIN = 0
const ZSTD = 1
/** Compression must save at least a tenth. */
const WORTHWHILE = 0.9
/** After so many blocks in a row that did not compress, only one in so many is tried. */
const MISSES_MAX = 8
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }
const compress = promisify(zstdCompress)

/** The hash of some bytes, as a byte string. */
export function hashOf(bytes: Uint8Array): string {
  return digest('sha256', bytes, 'latin1' as 'hex')
}

/** Plain bytes of a stored block. Throws StoreError 'corrupt' when they are not what the hash says. */
export function unpackBlock(row: BlockRow): Uint8Array {
  try {
    const data = row.data ?? new Uint8Array()
    const bytes = row.codec === ZSTD ? zstdDecompressSync(data) : data
    if (bytes.length === row.size && hashOf(bytes) === row.hash) return bytes
  } catch (error) {
    throw new StoreError('corrupt', `block ${hexOf(row.hash)} cannot be decompressed`, {
      cause: error,
    })
  }
  throw new StoreError('corrupt', `block ${hexOf(row.hash)} does not match its hash`)
}

/** A hash as people read it. */
export function hexOf(hash: string): string {
  return Buffer.from(hash, 'latin1').toString('hex')
}

export class Blocks {
  readonly #store: Store
  readonly #cache: GenerationCache<string, Uint8Array>
  /** What is hashed and compressed, or being so, by the very bytes. */
  readonly #packed = new WeakMap<Uint8Array, Promise<BlockRow>>()
  #misses = 0
  hits = 0
  loads = 0

  constructor(store: Store, cacheBytes: number) {
    this.#store = store
    this.#cache = new GenerationCache(cacheBytes, (bytes) => bytes.length + 100)
  }

  /** The row to store for these bytes, hashed and compressed in the thread pool; the same bytes are packed once. */
  pack(bytes: Uint8Array): Promise<BlockRow> {
    let packed = this.#packed.get(bytes)
    if (packed === undefined) {
      packed = this.#pack(bytes)
      this.#packed.set(bytes, packed)
    }
    return packed
  }

  async #pack(bytes: Uint8Array): Promise<BlockRow> {
    const view = bytes as Uint8Array<ArrayBuffer>
    const hashing = webcrypto.subtle.digest('SHA-256', view)
    const attempt = this.#misses < MISSES_MAX || this.#misses % MISSES_MAX === 0
    const small = attempt ? await compress(view, LEVEL) : undefined
    const worthwhile = small !== undefined && small.length < bytes.length * WORTHWHILE
    this.#misses = worthwhile ? 0 : this.#misses + 1
    const hash = Buffer.from(await hashing).toString('latin1')
    return worthwhile
      ? { hash, size: bytes.length, codec: ZSTD, data: small }
      : { hash, size: bytes.length, codec: PLAIN, data: bytes }
  }

  /** Keeps the bytes of a block at hand. */
  keep(hash: string, bytes: Uint8Array): void {
    this.#cache.set(hash, bytes)
  }

  /** The plain bytes of a block, verified. Throws EIO, and logs, when the block is missing or damaged. */
  load(hash: string): Uint8Array {
    const cached = this.#cache.get(hash)
    if (cached !== undefined) {
      this.hits++
      return cached
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
      throw new FsError(EIO, undefined)
    }
  }
}
