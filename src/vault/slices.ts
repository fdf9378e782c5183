// How long work is done beside requests: a few milliseconds at a time, and no more changed rows in one commit than an
// fsync may have to wait for. Knows nothing of what the work is.

import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { StoreError } from '../store/store.ts'
import type { Core } from './core.ts'

/** Work between two looks at what else is to be done. */
const SLICE_MS = 4
/** Once in so many slices a pause, so that a session that polls gets the processor too. */
const PAUSE_EVERY = 8
/** Weight of the changes of one commit: rows, or blocks of which each is BLOCK_WEIGHT rows. */
const CHANGES_MAX = 2000
/** A block lies on several pages, each of which is put on the free list. */
export const BLOCK_WEIGHT = 20

export interface Slices {
  /**
   * To be awaited between two steps, at a point where the rows in the overlay make sense together. Throws StoreError 'closed'
   * when the work is to end.
   */
  turn(): Promise<void> | undefined
  /** Says that rows were changed or deleted. */
  changed(weight: number): void
  /** Resolves when all that was done is durable. Rejects with StoreError when the engine refuses. */
  settle(): Promise<void>
}

/** Paces one piece of work on `core`. Once `isStopped` says so, every turn rejects with StoreError 'closed'. */
export function slicesOf(core: Core, isStopped: () => boolean = () => false): Slices {
  let until = performance.now() + SLICE_MS
  let weight = 0
  let count = 0
  const settle = async (): Promise<void> => {
    weight = 0
    await core.commits.commit()
    until = performance.now() + SLICE_MS
  }
  const rest = async (): Promise<void> => {
    if (++count % PAUSE_EVERY === 0) await sleep(1)
    else await setImmediate()
    until = performance.now() + SLICE_MS
  }
  return {
    turn() {
      if (isStopped()) throw new StoreError('closed', 'the vault is being closed')
      if (weight >= CHANGES_MAX) return settle()
      return performance.now() < until ? undefined : rest()
    },
    changed(more) {
      weight += more
    },
    settle,
  }
}
