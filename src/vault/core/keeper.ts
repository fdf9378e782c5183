// What an open vault needs from the keeper of its files and lock: to know whether it is still where
// it was opened.

import type { Store } from '../../store/store.ts'

export interface Keeper {
  /**
   * Called with the store once it is open. Wraps its calls so that what is committed after the
   * vault was removed or replaced goes to a copy elsewhere, in which case `close` rejects with
   * StoreError.
   */
  attach(store: Store): void
  /** Checks that the files are still in place, and starts the copy when they are not. */
  look(): void
  /**
   * Throws StoreError 'io', in words for people, once a file was found to be removed or replaced.
   */
  assertThere(): void
  /**
   * Resolves when all that was committed is in the copy, with a message about the loss; with
   * undefined when there was none. Rejects with StoreError when the copy cannot be made.
   */
  kept(): Promise<string | undefined>
}
