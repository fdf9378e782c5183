// What all families of operations share: the vault, who is known to the kernel, and how to tell it
// of changes.

import type { Counters } from '../base/counters.ts'
import { EROFS, fail } from '../base/errno.ts'
import { keptByStep } from '../base/step.ts'
import { inBackground } from '../store/retry.ts'
import { Fault } from '../store/store.ts'
import type { Core } from '../vault/core/core.ts'
import { type Inode, ROOT_INO } from '../vault/core/inode.ts'
import { findInode, reap } from '../vault/tree/inodes.ts'
import { prefetchEnd } from '../vault/tree/prefetch.ts'
import type { Vault } from '../vault/vault.ts'
import type { DirectoryListings, Listing } from './directory-listings.ts'
import type { Handles } from './handles.ts'
import type { Listers } from './listers.ts'
import { toNode } from './node.ts'
import type { KernelNotices, Node } from './operations.ts'
import type { SearchService } from './search-service.ts'

/** An open directory: its names as of the first read. */
export interface OpenDirectory {
  listing: Listing | undefined
  /** What to add to positions of the listing: it may not be the one that the reader began with. */
  shift: number
  /** The name that was read last, and the position behind it. */
  last: { readonly name: string; readonly cookie: number } | undefined
}

/**
 * When a read moves atime: mount(8), relatime (the rule unless another is asked for), noatime,
 * strictatime.
 */
export type AtimeRule = 'relatime' | 'noatime' | 'strictatime'

export interface FsContext {
  readonly vault: Vault
  readonly core: Core
  readonly readOnly: boolean
  /** Whether other users than the one who mounted it have access (allow_other). */
  readonly shared: boolean
  readonly atime: AtimeRule
  /** Undefined where the vault has no search. */
  readonly search: SearchService | undefined
  /** How often the kernel holds each inode: LOOKUPs less FORGETs. */
  readonly lookups: Counters
  readonly handles: Handles
  /** Directories of the vault that are open; those of views are in virtual/listings.ts. */
  readonly open: Map<number, OpenDirectory>
  readonly listings: DirectoryListings
  readonly listers: Listers
  /** Inodes of which the kernel has just written back all it had. */
  readonly writtenBack: Set<number>
  /**
   * Inodes whose cached writes exceeded a quota, and the offset from which; until a caller was
   * told. See quota.ts.
   */
  readonly refused: Map<number, number>
  /** Those of them whose true size the kernel has learned again. */
  readonly resized: Set<number>
  notices: KernelNotices | undefined
  /** See overlay-origin.ts. */
  origin: ToldOrigin | undefined
}

/** The node of an inode, counted as one lookup. */
export function giveNode(fs: FsContext, inode: Inode): Node {
  fs.lookups.add(inode.ino, 1)
  return toNode(inode)
}

/** True while the kernel knows the inode. It knows the root without ever having looked it up. */
export function isHeld(fs: FsContext, ino: number): boolean {
  return ino === ROOT_INO || fs.lookups.has(ino)
}

/** Takes lookups back; an inode without a name goes with the last one. */
export function forgetNode(fs: FsContext, ino: number, count: number): void {
  if (fs.lookups.add(ino, -count) > 0) return
  const orphan = fs.core.orphans.get(ino)
  if (orphan === undefined) return
  // One FORGET counts many numbers: it must not be run again because one of them has to wait.
  void inBackground(() => {
    if (fs.core.orphans.get(ino) !== orphan || fs.lookups.has(ino)) return
    prefetchEnd(fs.core, orphan)
    reap(fs.core, orphan, fs.core.moments.next())
  })
}

/**
 * Throws a Fault that lets the kernel write its dirty pages of the inode back and drop all that it
 * has cached of it. Run again after that, it does nothing.
 */
export function assertWrittenBack(fs: FsContext, ino: number): void {
  const { notices } = fs
  if (notices === undefined || fs.readOnly) return
  const written = keptByStep(`written back\0${ino}`, () => ({ isDone: false }))
  written.isDone ||= fs.writtenBack.delete(ino)
  if (written.isDone) return
  throw new Fault(async () => {
    await notices.inodeChanged(ino)
    fs.writtenBack.add(ino)
  })
}

/**
 * Lets the kernel forget bytes that were refused when it wrote them back, and the size that they
 * made.
 */
export function forgetCached(fs: FsContext, ino: number): void {
  const inode = findInode(fs.core, ino)
  void fs.notices?.inodeChanged(ino)
  if (inode !== undefined && inode.name !== '')
    void fs.notices?.entryChanged(inode.parent, inode.name)
}

/** Throws EROFS on a read-only mount. */
export function assertChangeable(fs: FsContext): void {
  if (fs.readOnly) fail(EROFS)
}

/** The value of an overlay origin that a process just read: it looks that up next. */
interface ToldOrigin {
  readonly pid: number
  readonly ino: number
}
