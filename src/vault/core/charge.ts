// What a change of an inode adds to what its owner has, or takes from it.

import type { Core } from './core.ts'
import type { Inode } from './inode.ts'
import { chargeOf } from './usage.ts'

/** Counts bytes that extents cover, or no longer do. */
export function allocate(core: Core, inode: Inode, bytes: number): void {
  const change = Math.max(bytes, -inode.allocated)
  inode.allocated += change
  core.usage.add(inode.uid, change, 0)
}

/**
 * Counts bytes that are written and cover none so far, or takes them back: once they have become
 * extents, or are cut off.
 */
export function reserve(core: Core, inode: Inode, bytes: number): void {
  const change = Math.max(bytes, -inode.reserved)
  inode.reserved += change
  core.usage.add(inode.uid, change, 0)
}

/** Gives an inode to a user, with what it is charged. */
export function setOwner(core: Core, inode: Inode, uid: number): void {
  if (uid === inode.uid) return
  const bytes = chargeOf(inode)
  core.usage.add(inode.uid, -bytes, -1)
  core.usage.add(uid, bytes, 1)
  inode.uid = uid
}
