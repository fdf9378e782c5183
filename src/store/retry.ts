// How work that is not a request of the kernel waits for reads that cannot be answered at once: it is run again when they can.

import { Fault } from './store.ts'

/** Work that faults more often than this would never end. */
const FAULTS_MAX = 10_000

/**
 * What `work` returns, once all it reads is in memory. It is run again from its start after each Fault: it must have changed
 * nothing by then. Whatever else it throws ends the wait. On an engine that never faults it runs before this returns.
 */
export async function answered<T>(work: () => T): Promise<T> {
  for (let faults = 0; ; faults++) {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof Fault) || faults >= FAULTS_MAX) throw error
      await error.load()
    }
  }
}
