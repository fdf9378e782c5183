// Free space on the disk. Refuses new bytes on a disk that is filling up while there is still room
// for the commits that delete, prune and compact. Called before an operation has changed anything;
// vault.ts reports what has become durable. Knows of an engine only its traits.

import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { EDQUOT, ENOSPC, FsError } from '../../base/errno.ts'
import type { GroupCommit } from '../../store/group-commit.ts'
import { Fault, type Store, type StoreStats } from '../../store/store.ts'

/** The disk is measured no more often than this, unless it seems to be full. */
const FRESH_MS = 100
/** The reserve takes at most this share of a small disk. */
const SHARE_MAX = 1 / 2
/**
 * Below this share of the reserve no operation is accepted, not even a deletion: the rest is for
 * prune and compact.
 */
const FLOOR = 1 / 4
/** Usable share of the free space inside the engine's files: the rest is too fragmented. */
const USABLE = 3 / 4
/** Approximate bytes of the rows for one more name, attribute or deletion. */
export const ROW_BYTES = 1024

/**
 * Bytes of the host's file system; `available` excludes the reserve and what is not yet on the
 * disk.
 */
export interface Space {
  readonly total: number
  readonly free: number
  readonly available: number
}

interface Disk {
  readonly total: number
  readonly free: number
  readonly available: number
  readonly reserve: number
  /** What the vault takes, less the free space inside its files; 0 when it was not measured. */
  readonly taken: number
}

const BOUNDLESS: Disk = {
  total: 0,
  free: 0,
  available: Number.POSITIVE_INFINITY,
  reserve: 0,
  taken: 0,
}

export class DiskSpace {
  readonly #store: Store
  readonly #place: string
  readonly #commits: GroupCommit
  /** Bytes accepted since the vault was opened, and how many of them are durable. */
  #taken = 0
  #durable = 0
  readonly #handedOver = new WeakMap<object, number>()
  #disk: Disk = BOUNDLESS
  #measuredMs = Number.NEGATIVE_INFINITY
  #limit = Number.POSITIVE_INFINITY

  constructor(store: Store, path: string, commits: GroupCommit) {
    this.#store = store
    this.#place = dirname(path)
    this.#commits = commits
  }

  /**
   * What the vault may take on the disk (setting quota.history). Operations that free space or
   * hardly grow are accepted beyond it.
   */
  get limit(): number {
    return this.#limit
  }

  set limit(bytes: number) {
    this.#limit = bytes
    this.#measuredMs = Number.NEGATIVE_INFINITY
  }

  /** What the vault takes, with what is not yet on the disk. Known only where there is a limit. */
  get taken(): number {
    if (performance.now() > this.#measuredMs + FRESH_MS) this.#measure()
    return this.#disk.taken + this.#pending
  }

  /** A batch with all that was accepted so far is handed to the engine. */
  handOver(layer: object): void {
    this.#handedOver.set(layer, this.#taken)
  }

  /** That batch is durable. */
  settle(layer: object): void {
    this.#settled(this.#handedOver.get(layer) ?? 0)
  }

  /**
   * Accepts `bytes` that are about to be written. Throws ENOSPC when the disk has no room for them,
   * EDQUOT beyond the limit, and a Fault when that is known only after pending bytes were
   * committed: call it before the operation has changed anything.
   */
  grow(bytes: number): void {
    if (!this.#take(bytes, 1)) throw new Fault(() => this.#underWay())
  }

  /** As `grow`, but returns a promise to await before trying again, instead of a Fault. */
  ask(bytes: number): Promise<void> | undefined {
    return this.#take(bytes, 1) ? undefined : this.#underWay()
  }

  /**
   * Accepts an operation that frees space or hardly grows; it may use part of the reserve. Throws
   * as `grow` does.
   */
  shrink(): void {
    if (!this.#take(ROW_BYTES, FLOOR)) throw new Fault(() => this.#underWay())
  }

  /** True while optional writes, such as access times, had better be skipped. */
  get isTight(): boolean {
    return this.#left(1) < 0
  }

  /** Measures the disk now. */
  space(): Space {
    this.#measure()
    const { total, free, available, reserve } = this.#disk
    return { total, free, available: Math.max(0, available - reserve - this.#pending) }
  }

  get #pending(): number {
    return this.#taken - this.#durable
  }

  /** False when pending bytes must be committed first. Throws ENOSPC, EDQUOT. */
  #take(bytes: number, share: number): boolean {
    const { growth } = this.#store.traits
    if (share === 1 && this.taken + bytes > this.#limit) {
      const isHopeless =
        this.#disk.taken + bytes > this.#limit || this.#commits.failure !== undefined
      if (isHopeless) throw new FsError(EDQUOT)
      return false
    }
    if (this.#left(share) < bytes * growth) {
      if (performance.now() > this.#measuredMs) this.#measure()
      const left = this.#left(share) - bytes * growth
      if (left < 0) {
        // Pending bytes may compress, or be replaced before they are written, so there may be room
        // after all.
        const isHopeless = left + this.#pending * growth < 0 || this.#commits.failure !== undefined
        if (isHopeless || this.#pending === 0) throw new FsError(ENOSPC)
        return false
      }
    }
    this.#taken += bytes
    return true
  }

  /**
   * Resolves when all that was accepted so far is durable, turned out to be no change, or failed.
   */
  async #underWay(): Promise<void> {
    const taken = this.#taken
    try {
      await this.#commits.commit()
    } catch {
      // The failure shows on the next try.
      return
    }
    this.#settled(taken)
  }

  #settled(taken: number): void {
    this.#durable = Math.max(this.#durable, taken)
    this.#measuredMs = Number.NEGATIVE_INFINITY
  }

  /** What may be written while `share` of the reserve stays free. */
  #left(share: number): number {
    if (performance.now() > this.#measuredMs + FRESH_MS) this.#measure()
    const { available, reserve } = this.#disk
    return available - reserve * share - this.#pending * this.#store.traits.growth
  }

  #measure(): void {
    this.#measuredMs = performance.now()
    if (!this.#store.traits.persistent) return
    try {
      this.#disk = this.#ofDisk()
    } catch (error) {
      // The vault was removed with its folder: its commits go to a copy elsewhere, and fail there
      // if that disk is full.
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
  }

  #ofDisk(): Disk {
    const { reserveBytes, growth } = this.#store.traits
    const { bsize, blocks, bfree, bavail } = statfsSync(this.#place)
    const total = blocks * bsize
    const reserve = Math.min(reserveBytes, total * SHARE_MAX)
    const host = bavail * bsize
    // Measured only where it matters. Free space inside the files is of no use without a little
    // room beside them.
    const isNear = host < reserve * 2 + this.#pending * growth
    const isAsked = isNear || this.#limit < Number.POSITIVE_INFINITY
    const stats: Partial<StoreStats> = isAsked ? this.#store.stats() : {}
    const { bytes = 0, usedBytes = bytes, freeBytes = 0, reservedBytes = 0 } = stats
    const inside = host > reserve * FLOOR ? freeBytes * USABLE : 0
    const usable = Math.floor(inside + reservedBytes)
    const available = host + usable
    return { total, free: bfree * bsize + usable, available, reserve, taken: usedBytes }
  }
}
