// What all parts of a vault share: rows, clock, blocks and caches, in one object that is passed to
// their functions. Created only by vault.ts.

import { GenerationCache } from '../../base/generation-cache.ts'
import type { EntryRow } from '../../store/collections.ts'
import type { GroupCommit } from '../../store/group-commit.ts'
import type { Overlay } from '../../store/overlay.ts'
import type { Actors } from './actors.ts'
import type { Blocks } from './blocks.ts'
import type { ChangedInodes } from './changed-inodes.ts'
import type { DiskSpace } from './disk-space.ts'
import { costOf, type Inode } from './inode.ts'
import { SHARES } from './memory-shares.ts'
import type { Moments } from './moments.ts'
import { costOfState, type PastState } from './past-state.ts'
import { newQuota, type Quota } from './quota-limits.ts'
import { type History, newHistory } from './recording.ts'
import type { Usage } from './usage.ts'

export interface Core {
  readonly overlay: Overlay
  readonly commits: GroupCommit
  readonly diskSpace: DiskSpace
  /** What each user owns, and the limits. */
  readonly usage: Usage
  readonly quota: Quota
  readonly moments: Moments
  /** Who acts now, for rows that record the actor. */
  readonly actors: Actors
  readonly blocks: Blocks
  /** Changes of names and content, for the search index. */
  readonly changed: ChangedInodes
  /**
   * Recently used inodes, by number. Those with unsaved changes are also in the overlay or in
   * `open`.
   */
  readonly inodes: GenerationCache<number, Inode>
  readonly directories: GenerationCache<number, Directory>
  /** Recently read past states of inodes. */
  readonly pasts: GenerationCache<number, PastState>
  /** Inodes with provisional rows, which stay in memory until they are sealed. */
  readonly open: Map<number, Inode>
  /** Inodes without a name that are still in use. */
  readonly orphans: Map<number, Inode>
  /** Inodes with a write buffer. */
  readonly dirty: Set<Inode>
  /** Inodes with a chunk that has too many extents. */
  readonly fragmented: Set<number>
  readonly history: History
  /** Labels of files that lost their name less than a second ago; see tags.ts. */
  readonly leftTags: Map<string, { readonly tags: readonly string[]; readonly untilMs: number }>
  /**
   * The longest that background work (time-slices.ts) has held up requests since the vault was
   * opened.
   */
  longestSliceMs: number
  longestSliceCpuMs: number
  /** Bytes written since the last hand-over. */
  dirtyBytes: number
  nextIno: number
  inodeCount: number
}

/** The caches of a core for a memory budget. */
export function makeCaches(
  cacheBytes: number,
): Pick<
  Core,
  | 'inodes'
  | 'directories'
  | 'pasts'
  | 'open'
  | 'orphans'
  | 'dirty'
  | 'fragmented'
  | 'history'
  | 'leftTags'
  | 'quota'
> {
  return {
    inodes: new GenerationCache(cacheBytes * SHARES.inodes, costOf),
    directories: new GenerationCache(cacheBytes * SHARES.directories, () => 200),
    pasts: new GenerationCache(cacheBytes * SHARES.pasts, costOfState),
    open: new Map(),
    orphans: new Map(),
    dirty: new Set(),
    fragmented: new Set(),
    history: newHistory(),
    leftTags: new Map(),
    quota: newQuota(),
  }
}

/**
 * Cached entries of one directory; an `undefined` value means that the name is known not to exist.
 * `complete`: all names are cached.
 */
export interface Directory {
  readonly names: Map<string, EntryRow | undefined>
  complete: boolean
}
