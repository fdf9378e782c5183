// Keeps the usage of an inode's owner (usage.ts) in step with changes of the inode.

import type { Core } from './core.ts'
import type { Inode } from './inode.ts'
import { chargeOf } from './usage.ts'

/** Counts `bytes` that extents now cover; negative when they no longer do. */
export function allocate(core: Core, inode: Inode, bytes: number): void {
  const change = Math.max(bytes, -inode.allocated)
  inode.allocated += change
  core.usage.add(inode.uid, change, 0)
}

/**
 * Counts written bytes that no extent covers yet; negative once they have become extents, or are
 * cut off.
 */
export function reserve(core: Core, inode: Inode, bytes: number): void {
  const change = Math.max(bytes, -inode.reserved)
  inode.reserved += change
  core.usage.add(inode.uid, change, 0)
}

/** Changes the owner of an inode and moves its charge. */
export function setOwner(core: Core, inode: Inode, uid: number): void {
  if (uid === inode.uid) return
  const bytes = chargeOf(inode)
  core.usage.add(inode.uid, -bytes, -1)
  core.usage.add(uid, bytes, 1)
  inode.uid = uid
}
