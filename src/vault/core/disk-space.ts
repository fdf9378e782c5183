// Room on the disk: what a vault may still take in, so that a disk that fills refuses new bytes
// while there is room left for the commits that delete, prune and compact. Asked before an
// operation has changed anything; told by vault.ts what has become durable. Knows of an engine what
// its traits say.

import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { EDQUOT, ENOSPC, FsError } from '../../base/errno.ts'
import type { GroupCommit } from '../../store/group-commit.ts'
import { Fault, type Store, type StoreStats } from '../../store/store.ts'

/** The disk is asked no more often, unless it seems to be full. */
const FRESH_MS = 100
/** The reserve is no more than this part of a small disk. */
const SHARE_MAX = 1 / 2
/**
 * Below this part of the reserve nothing is begun any more, not even a deletion: the rest is for
 * prune and compact.
 */
const FLOOR = 1 / 4
/**
 * Of what is free inside the engine's files so much can be used: the rest lies in pieces that are
 * too small.
 */
const USABLE = 3 / 4
/** What the rows of one more name, attribute or deletion take, about. */
export const ROW_BYTES = 1024

/** Bytes of the host's file system; `available` is without the reserve and what is on its way. */
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
  /** What the vault has on it, less what is free inside its files; 0 where nobody wants to know. */
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
  /**
   * Bytes that were taken in since the vault was opened, and those of them that are on the disk.
   */
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
   * What the vault may take on the disk (setting quota.history). What frees or hardly grows goes on
   * beyond it.
   */
  get limit(): number {
    return this.#limit
  }

  set limit(bytes: number) {
    this.#limit = bytes
    this.#measuredMs = Number.NEGATIVE_INFINITY
  }

  /** What it takes, with what is on its way. Known only where there is a limit. */
  get taken(): number {
    if (performance.now() > this.#measuredMs + FRESH_MS) this.#measure()
    return this.#disk.taken + this.#pending
  }

  /** A batch leaves with all that was taken in. */
  handOver(layer: object): void {
    this.#handedOver.set(layer, this.#taken)
  }

  /** It is on the disk. */
  settle(layer: object): void {
    this.#settled(this.#handedOver.get(layer) ?? 0)
  }

  /**
   * Takes in `bytes` that are going to be written. Throws ENOSPC when the disk has no room for
   * them, and a Fault when that is known only once what is on its way has been committed: call it
   * before the operation has changed anything.
   */
  grow(bytes: number): void {
    if (!this.#take(bytes, 1)) throw new Fault(() => this.#underWay())
  }

  /** The same, as a promise to wait for before it is asked again, instead of a Fault. */
  ask(bytes: number): Promise<void> | undefined {
    return this.#take(bytes, 1) ? undefined : this.#underWay()
  }

  /**
   * Makes room for an operation that frees or hardly grows, which may use a part of the reserve.
   * Throws as `grow` does.
   */
  shrink(): void {
    if (!this.#take(ROW_BYTES, FLOOR)) throw new Fault(() => this.#underWay())
  }

  /** True while what nobody asked for, such as the times of reads, had better not be written. */
  get isTight(): boolean {
    return this.#left(1) < 0
  }

  space(): Space {
    this.#measure()
    const { total, free, available, reserve } = this.#disk
    return { total, free, available: Math.max(0, available - reserve - this.#pending) }
  }

  get #pending(): number {
    return this.#taken - this.#durable
  }

  /** False when what is on its way must be written first. Throws ENOSPC, EDQUOT. */
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
        // Most of what is on its way may be compressed, or replaced before it is written: then
        // there is room.
        const isHopeless = left + this.#pending * growth < 0 || this.#commits.failure !== undefined
        if (isHopeless || this.#pending === 0) throw new FsError(ENOSPC)
        return false
      }
    }
    this.#taken += bytes
    return true
  }

  /**
   * Resolves when all that was taken in so far is on the disk, was no change after all, or was
   * refused.
   */
  async #underWay(): Promise<void> {
    const taken = this.#taken
    try {
      await this.#commits.commit()
    } catch {
      // Whoever asks again hears of it.
      return
    }
    this.#settled(taken)
  }

  #settled(taken: number): void {
    this.#durable = Math.max(this.#durable, taken)
    this.#measuredMs = Number.NEGATIVE_INFINITY
  }

  /** What may be written when so much of the reserve stays. */
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
      // The vault was removed with its folder: what it holds is kept elsewhere, and a full disk
      // there refuses the commits.
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
  }

  #ofDisk(): Disk {
    const { reserveBytes, growth } = this.#store.traits
    const { bsize, blocks, bfree, bavail } = statfsSync(this.#place)
    const total = blocks * bsize
    const reserve = Math.min(reserveBytes, total * SHARE_MAX)
    const host = bavail * bsize
    // Asked only where it matters. What is free inside the files is of no use without a little room
    // beside them.
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
