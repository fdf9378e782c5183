// How long work is done beside requests: a few milliseconds at a time, and no more changed rows in
// one commit than an fsync may have to wait for. Knows nothing of what the work is.

import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { SLICE_MS } from '../../base/turns.ts'
import { StoreError } from '../../store/store.ts'
import type { Core } from './core.ts'

/** Once in so many slices a pause, so that a session that polls gets the processor too. */
export const PAUSE_EVERY = 16
/** Weight of the changes of one commit: rows, or blocks of which each is BLOCK_WEIGHT rows. */
const CHANGES_MAX = 2000
/** A block lies on several pages, each of which is put on the free list. */
export const BLOCK_WEIGHT = 20

export interface Slices {
  /**
   * To be awaited between two steps, at a point where the rows in the overlay make sense together.
   * Throws StoreError 'closed' when the work is to end.
   */
  turn(): Promise<void> | undefined
  /** Says that rows were changed or deleted. */
  changed(weight: number): void
  /**
   * Resolves when all that was done is durable. Rejects with StoreError when the engine refuses.
   */
  settle(): Promise<void>
}

/**
 * When a slice began: on the clock, and in processor time of this thread, which other processes do
 * not lengthen.
 */
export interface Began {
  readonly atMs: number
  readonly cpuMs: number
}

/** A slice begins. */
export function beginSlice(): Began {
  return { atMs: performance.now(), cpuMs: cpuMs() }
}

/** Notes how long a slice has held up requests until now. */
export function noteSlice(core: Core, began: Began): void {
  core.longestSliceMs = Math.max(core.longestSliceMs, performance.now() - began.atMs)
  core.longestSliceCpuMs = Math.max(core.longestSliceCpuMs, cpuMs() - began.cpuMs)
}

/** Node before 24 knows it only of all threads together. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage?.() ?? { user: 0, system: 0 }
  return (user + system) / 1000
}

/**
 * Paces one piece of work on `core`. Once `isStopped` says so, every turn rejects with StoreError
 * 'closed'.
 */
export function slicesOf(core: Core, isStopped: () => boolean = () => false): Slices {
  let began = beginSlice()
  let weight = 0
  let count = 0
  const pause = async (others: Promise<unknown>): Promise<void> => {
    noteSlice(core, began)
    await others
    began = beginSlice()
  }
  const settle = (): Promise<void> => {
    weight = 0
    return pause(core.commits.commit())
  }
  const rest = (): Promise<void> => pause(++count % PAUSE_EVERY === 0 ? sleep(1) : setImmediate())
  return {
    turn() {
      if (isStopped()) throw new StoreError('closed', 'the vault is being closed')
      if (weight >= CHANGES_MAX) return settle()
      return performance.now() < began.atMs + SLICE_MS ? undefined : rest()
    },
    changed(more) {
      weight += more
    },
    settle,
  }
}
