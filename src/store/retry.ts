// Reads for whoever may wait: an engine that cannot answer at once says so by Fault, is given its time and asked again.

import { Fault } from './store.ts'

/** What `read` returns once all that it needs is loaded. Throws what it throws but for Fault. */
export async function whenLoaded<T>(read: () => T): Promise<T> {
  for (;;) {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      await error.load()
    }
  }
}
