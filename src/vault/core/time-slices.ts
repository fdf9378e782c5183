// Paces background work: a few milliseconds at a time between requests, and no more changed rows in
// one commit than an fsync may have to wait for. Knows nothing of the work itself.

import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { SLICE_MS } from '../../base/turns.ts'
import { StoreError } from '../../store/store.ts'
import type { Core } from './core.ts'

/** After this many slices there is a pause, so that a polling session gets the processor, too. */
export const PAUSE_EVERY = 16
/** Weight of changes in one commit: a row weighs 1, a block BLOCK_WEIGHT. */
const CHANGES_MAX = 2000
/** A block occupies several pages, each of which goes to the free list. */
export const BLOCK_WEIGHT = 20

/** The pace of one piece of background work. */
export interface Slices {
  /**
   * Await between two steps, at a point where the rows in the overlay are consistent. Throws
   * StoreError 'closed' when the work must end.
   */
  turn(): Promise<void> | undefined
  /** Counts rows that were changed or deleted. */
  changed(weight: number): void
  /**
   * Resolves when all work so far is durable. Rejects with StoreError when the engine refuses it.
   */
  settle(): Promise<void>
}

/**
 * When a slice began: wall-clock time, and processor time of this thread, which does not count
 * other processes.
 */
export interface Began {
  readonly atMs: number
  readonly cpuMs: number
}

export function beginSlice(): Began {
  return { atMs: performance.now(), cpuMs: cpuMs() }
}

/** Records how long a slice has held up requests. */
export function noteSlice(core: Core, began: Began): void {
  core.longestSliceMs = Math.max(core.longestSliceMs, performance.now() - began.atMs)
  core.longestSliceCpuMs = Math.max(core.longestSliceCpuMs, cpuMs() - began.cpuMs)
}

/** Node before 24 has no per-thread processor time: 0 there. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage?.() ?? { user: 0, system: 0 }
  return (user + system) / 1000
}

/**
 * Paces one piece of work on `core`. Once `isStopped` returns true, every turn throws StoreError
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
