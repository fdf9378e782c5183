// Work that a timer brings up again and again: a failure is told and must not end the process, nor
// the timer.

import { log } from './log.ts'

/** `work` that never throws. What it throws is logged, once as long as it fails the same way. */
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
