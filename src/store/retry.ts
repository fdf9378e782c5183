// Runs work that is not a kernel request and reads what may not be in memory: after a Fault it is
// run again, once the data are loaded. dispatch.ts does the same for requests.

import { log } from '../base/log.ts'
import {
  enterSlice,
  hasChanged,
  noteChange,
  renewSlice,
  type Slice,
  startStep,
} from '../base/step.ts'
import { SLICE_MS } from '../base/turns.ts'
import { Fault } from './store.ts'

/** Work that faults more often than this would never end. */
const FAULTS_MAX = 10_000

/**
 * Returns the result of `work`, which is a step: it runs again from its start after each Fault, so
 * it must have changed nothing by then. Any other error is passed on. On an engine that never
 * faults `work` has run when this function returns.
 */
export async function retryUntilLoaded<T>(work: () => T): Promise<T> {
  return await untilAnswered(work, undefined)
}

/** `retryUntilLoaded` for long reads: yields to other work between time slices. */
export async function retryInSlices<T>(work: () => T): Promise<T> {
  return await untilAnswered(work, { untilMs: 0, isBegun: false, kept: undefined })
}

async function untilAnswered<T>(work: () => T, slice: Slice | undefined): Promise<T> {
  for (let faults = 0; ; ) {
    startStep()
    if (slice !== undefined) renewSlice(slice, SLICE_MS, slice.kept)
    const outer = enterSlice(slice)
    let fault: Fault
    try {
      return work()
    } catch (error) {
      if (!(error instanceof Fault) || faults >= FAULTS_MAX) throw error
      fault = error
    } finally {
      enterSlice(outer)
    }
    if (!fault.isPause) faults++
    await fault.load()
  }
}

/**
 * `retryUntilLoaded` for work that the calling step does not wait for. Errors are logged; never
 * rejects.
 */
export function inBackground(work: () => void): Promise<void> {
  const isWithin = hasChanged()
  const done = retryUntilLoaded(work)
  if (isWithin) noteChange()
  return done.catch((error: unknown) => log('error', 'background work failed', error))
}

/**
 * For work that will be tried again anyway: returns true when it is done, false when it met a read
 * that must wait. The data are then loaded and usually in memory at the next attempt.
 */
export function tryNow(work: () => void): boolean {
  startStep()
  try {
    work()
    return true
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    error.load().catch((reason: unknown) => log('warn', 'a read failed', reason))
    return false
  }
}
