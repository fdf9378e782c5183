// What an open vault asks of whoever knows its files and its lock: whether it is still where it was
// opened.

import type { Store } from '../../store/store.ts'

export interface Keeper {
  /**
   * Told of the store once it is open. Changes its calls so that what is committed after the vault
   * was removed or replaced is kept in a copy elsewhere, and that `close` rejects with StoreError
   * then.
   */
  attach(store: Store): void
  /** Looks whether all is there, and begins the copy when it is not. */
  look(): void
  /**
   * Throws StoreError 'io', in words for people, once something was found to be removed or
   * replaced.
   */
  assertThere(): void
  /**
   * What is to be told of a loss, when all that was committed is in the copy; undefined while there
   * was none. Rejects with StoreError when the copy cannot be made.
   */
  kept(): Promise<string | undefined>
}
