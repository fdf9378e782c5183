// How work that is not a request of the kernel waits for reads that cannot be answered at once: it
// is run again when they can. dispatch.ts does the same for requests.

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
 * What `work` returns, once all it reads is in memory. It is a step: run again from its start after
 * each Fault, so that it must have changed nothing by then. Whatever else it throws ends the wait.
 * On an engine that never faults it has run when this returns.
 */
export async function retryUntilLoaded<T>(work: () => T): Promise<T> {
  return await untilAnswered(work, undefined)
}

/** `retryUntilLoaded` for reading that may take long: others go on in between. */
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
 * `retryUntilLoaded` for what the step that calls it does not wait for: it is done now, or soon.
 * Errors are logged; never rejects.
 */
export function inBackground(work: () => void): Promise<void> {
  const isWithin = hasChanged()
  const done = retryUntilLoaded(work)
  if (isWithin) noteChange()
  return done.catch((error: unknown) => log('error', 'background work failed', error))
}

/**
 * For work that comes up again by itself: true when it was done; false when it met a read that must
 * wait, which is loaded by the time it is tried again, as a rule.
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
