// What the nouns of a vault share: rows, clock, blocks and caches, in one object that is passed to
// their functions. Created by vault.ts alone.

import { GenerationCache } from '../../base/generation-cache.ts'
import type { EntryRow } from '../../store/collections.ts'
import type { GroupCommit } from '../../store/group-commit.ts'
import type { Overlay } from '../../store/overlay.ts'
import type { Actors } from './actors.ts'
import type { Blocks } from './blocks.ts'
import type { ChangedInodes } from './changed-inodes.ts'
import type { DiskSpace } from './disk-space.ts'
import { costOf, type Inode } from './inode.ts'
import type { Moments } from './moments.ts'
import { costOfState, type PastState } from './past-state.ts'
import { newQuota, type Quota } from './quota-limits.ts'
import { type History, newHistory } from './recording.ts'
import type { Usage } from './usage.ts'

export interface Core {
  readonly overlay: Overlay
  readonly commits: GroupCommit
  readonly diskSpace: DiskSpace
  /** What each user owns, and what each may. */
  readonly usage: Usage
  readonly quota: Quota
  readonly moments: Moments
  /** Who acts now, for the rows that tell who did it. */
  readonly actors: Actors
  readonly blocks: Blocks
  /** What was given other names or content, for an index that follows. */
  readonly changed: ChangedInodes
  /**
   * Inodes by number, as far as they were used of late. What has unsaved changes is in the overlay
   * or `open` too.
   */
  readonly inodes: GenerationCache<number, Inode>
  readonly directories: GenerationCache<number, Directory>
  /** Former states of inodes, as far as they were read of late. */
  readonly pasts: GenerationCache<number, PastState>
  /** Inodes with provisional rows. They stay in memory until they are sealed. */
  readonly open: Map<number, Inode>
  /** Inodes without a name that somebody still uses. */
  readonly orphans: Map<number, Inode>
  /** Inodes with `pages`. */
  readonly dirty: Set<Inode>
  /** Inodes of which some chunk has too many extents. */
  readonly fragmented: Set<number>
  readonly history: History
  /** Labels of files that left a name a moment ago; see tags.ts. */
  readonly leftTags: Map<string, { readonly tags: readonly string[]; readonly untilMs: number }>
  /**
   * The longest that work in the background (time-slices.ts) has held up requests since the vault
   * was opened.
   */
  longestSliceMs: number
  longestSliceCpuMs: number
  /** Bytes written since the last hand-over. */
  dirtyBytes: number
  nextIno: number
  inodeCount: number
}

/**
 * The caches of a core, sized for a budget of memory: an eighth each; blocks get half of it, the
 * engine the rest.
 */
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
    inodes: new GenerationCache(cacheBytes / 8, costOf),
    directories: new GenerationCache(cacheBytes / 8, () => 200),
    pasts: new GenerationCache(cacheBytes / 8, costOfState),
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
 * Cached entries of one directory; `undefined` as a value: known to be missing. `complete`: all
 * names are here.
 */
export interface Directory {
  readonly names: Map<string, EntryRow | undefined>
  complete: boolean
}
