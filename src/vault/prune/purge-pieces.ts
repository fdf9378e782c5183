// The purged content as it lies in the engine, in blocks and inline bytes: who else has the same
// content, and samples to search for in the engine's files.

import { FsError } from '../../base/errno.ts'
import { block, type ExtentRow, extent, extentPast, type Key } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { hashOf } from '../core/blocks.ts'
import type { Core } from '../core/core.ts'
import type { Moment } from '../core/moment.ts'
import { walkRows } from '../core/rows.ts'
import type { Slices } from '../core/time-slices.ts'
import { lastPath } from '../tree/places.ts'
import { type Life, neededBy } from './prune-inode.ts'
import { NOW } from './purge-path.ts'

/** Shorter pieces prove nothing: such bytes occur in many places. */
const PIECE_BYTES_MIN = 8
/** Samples at most: each is searched for in every byte of the vault's files. */
const NEEDLES_MAX = 32
/** Samples of one piece. */
const SAMPLES = 4
/** Length of a sample. Longer ones might be split: SQLite cuts rows into pages. */
const NEEDLE_BYTES = 48
/** Files that are named at most. */
const SHARERS_MAX = 100

/** A file with some of the same content: its path (a byte string), and a moment; null: now. */
export interface Sharer {
  readonly path: string
  readonly moment: Moment | null
}

/** An extent, and until when it existed. */
type Lasting = ExtentRow & { readonly until: Moment }
type Needs = (lifetime: { since: Moment; until: Moment }) => boolean

/**
 * At most `most` samples of some bytes: all of them if they are short, else evenly spaced parts.
 */
export function samplesOf(bytes: Uint8Array, most: number): Uint8Array[] {
  if (bytes.length < PIECE_BYTES_MIN) return []
  const count = Math.min(most, Math.ceil(bytes.length / NEEDLE_BYTES))
  const length = Math.min(NEEDLE_BYTES, bytes.length)
  // Evenly spaced, the last one at the end.
  const step = count > 1 ? (bytes.length - length) / (count - 1) : 0
  return Array.from({ length: count }, (_, index) => {
    const from = Math.floor(index * step)
    return Uint8Array.from(bytes.subarray(from, from + length))
  }).filter((sample) => new Set(sample).size >= PIECE_BYTES_MIN / 2)
}

/** Collects the purged pieces of content, then answers questions about them. */
export class Pieces {
  readonly needles: Uint8Array[] = []
  readonly #core: Core
  readonly #slices: Slices
  /** Hash of a block -> which bytes of it are purged. */
  readonly #blocks = new Map<string, { from: number; to: number }>()
  /** Hashes of inline bytes. */
  readonly #inline = new Set<string>()

  constructor(core: Core, slices: Slices) {
    this.#core = core
    this.#slices = slices
  }

  /** Adds the extents of an inode that nothing of its life that stays needs. */
  async take(ino: number, life: Life): Promise<void> {
    const needs = neededBy(life)
    const range = { gte: [ino], lt: [ino + 1] }
    for await (const row of this.#extents(range, life.present !== undefined))
      if (!needs(row)) await retryUntilLoaded(() => this.#note(row))
  }

  async *#extents(range: { gte?: Key; lt?: Key }, pastOnly: boolean): AsyncGenerator<Lasting> {
    const { store } = this.#core.overlay
    const slices = this.#slices
    yield* walkRows(store, extentPast, extentPast.fields, range, slices)
    if (pastOnly) return
    for await (const row of walkRows(store, extent, extent.fields, range, slices))
      yield { ...row, until: NOW }
  }

  #note(row: Lasting): void {
    const { hash, blockOffset: from, length, data } = row
    if (length < PIECE_BYTES_MIN) return
    if (hash === '') {
      if (data === null) return
      const digest = hashOf(data)
      if (this.#inline.has(digest)) return
      this.#sample(data)
      this.#inline.add(digest)
      return
    }
    const known = this.#blocks.get(hash)
    if (known === undefined && this.needles.length < NEEDLES_MAX) this.#sampleBlock(row)
    const to = from + length
    const whole = known && { from: Math.min(known.from, from), to: Math.max(known.to, to) }
    this.#blocks.set(hash, whole ?? { from, to })
  }

  #sampleBlock({ hash, blockOffset, length }: Lasting): void {
    try {
      const bytes = this.#core.blocks.load(hash).subarray(blockOffset, blockOffset + length)
      const packed = this.#core.overlay.store.get(block, [hash])
      this.#sample(bytes)
      if (packed?.data && packed.codec !== 0) this.#sample(packed.data)
    } catch (error) {
      // A damaged block could not be recognized anyway.
      if (!(error instanceof FsError)) throw error
    }
  }

  #sample(bytes: Uint8Array): void {
    const room = NEEDLES_MAX - this.needles.length
    this.needles.push(...samplesOf(bytes, Math.min(room, SAMPLES)))
  }

  /**
   * Files that keep some of the content. `needsOf` gives, for inodes that lose something, which of
   * their extents stay.
   */
  async sharers(needsOf: (ino: number) => Needs | undefined): Promise<Sharer[]> {
    if (this.#blocks.size + this.#inline.size === 0) return []
    const found = new Map<string, Sharer>()
    for await (const row of this.#extents({}, false)) {
      if (found.size >= SHARERS_MAX) break
      if (!this.#has(row) || needsOf(row.ino)?.(row) === false) continue
      const path = (await retryUntilLoaded(() => lastPath(this.#core, row.ino))) ?? '(gone)'
      const moment = row.until === NOW ? null : row.since
      // A present use tells more than a past one.
      if (!found.has(path) || moment === null) found.set(path, { path, moment })
    }
    return [...found.values()]
  }

  #has({ hash, blockOffset, length, data }: Lasting): boolean {
    if (hash === '') return data !== null && this.#inline.has(hashOf(data))
    const range = this.#blocks.get(hash)
    return range !== undefined && blockOffset < range.to && range.from < blockOffset + length
  }
}
