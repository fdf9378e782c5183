// What the views ask of the search of a vault.

import type { Moment } from '../vault/core/moment.ts'

/** An inode in the directory of a name that it has or had. */
export interface SearchedName {
  readonly ino: number
  readonly isThere: boolean
  readonly parent: number
}

export interface SearchedVersion {
  readonly ino: number
  readonly parent: number
  readonly number: number | undefined
  readonly moment: Moment
}

/**
 * A path from the root with the inode that is there, or was last. `versions`: those that were
 * found, oldest first, with the number that the path has for them; none for what was found by its
 * path and has no content.
 */
export interface SearchedFile {
  readonly ino: number
  readonly path: string
  readonly isThere: boolean
  readonly versions: readonly SearchedVersion[]
}

/** What the views ask of the search of a vault (src/search/searcher.ts). */
export interface SearchService {
  /** Grows whenever the index has taken something in. */
  readonly generation: number
  /**
   * Best first. `isVisible` says what may be shown; it may run more than once. Rejects with
   * StoreError 'unavailable'.
   */
  search(request: {
    readonly query: string
    readonly limit: number
    readonly pastToo: boolean
    readonly isNumbered: boolean
    /** At or below this path. */
    readonly top: string
    readonly isVisible: (found: SearchedName) => boolean
  }): Promise<readonly SearchedFile[]>
  /** Resolves when all that is sealed can be found, or when the time is over. */
  refresh(timeoutMs: number): Promise<boolean>
}
