// Periodic work: a failure is logged and must not end the process or the timer.

import { log } from './log.ts'

/**
 * Wraps `work` so that it never throws. Its error is logged, but not again while it stays the same.
 */
export function steady(what: string, work: () => void): () => void {
  let told: string | undefined
  return () => {
    try {
      work()
      told = undefined
    } catch (error) {
      const reason = String(error)
      if (reason !== told) log('error', `${what} failed; it is tried again`, error)
      told = reason
    }
  }
}
