// Quotas, asked before an operation begins (admission.ts): what grows beyond one is EDQUOT, and all
// else goes on.
//
// The kernel takes the bytes of write(2) into its cache and hands them over later, when nobody
// waits for an answer any more. An error then would be EIO for close(2), whatever it was. So bytes
// for which there is no room are taken as if they had been stored, and whoever writes, syncs or
// closes the file next hears of it: write(2) because the kernel asks before it whether the file has
// a capability, which it would have to remove.

import { setTimeout as sleep } from 'node:timers/promises'
import { steadyMs } from '../base/clock.ts'
import { EDQUOT, FsError, fail } from '../base/errno.ts'
import { isRegular } from '../base/mode.ts'
import { Fault } from '../store/store.ts'
import { flushWrites } from '../vault/content/content.ts'
import type { Inode } from '../vault/core/inode.ts'
import { admit, admitOwner, isLimited, left } from '../vault/core/quota.ts'
import { chargeOf } from '../vault/core/usage.ts'
import { findInode, getInode } from '../vault/tree/inodes.ts'
import { type FsContext, forgetCached } from './context.ts'
import type { Caller } from './operations.ts'
import { writesAtEnd } from './write-position.ts'

/**
 * How long the kernel may take to say that nobody uses a deleted file any more, and how often that
 * is checked.
 */
const FORGET_MS = 50
const FORGET_STEP_MS = 5

/**
 * Throws a Fault that lets the kernel learn the true size of a file of which it had more: all that
 * it had was handed over before it said that the file is closed, and no write(2) begins until it is
 * answered. Run again after that, it does nothing.
 */
export function assertResized(fs: FsContext, ino: number): void {
  const { notices, refused, resized } = fs
  const isKnown = resized.delete(ino)
  if (isKnown || !refused.has(ino) || notices?.sizeChanged === undefined) return
  throw new Fault(async () => {
    await notices.inodeChanged(ino)
    await notices.sizeChanged?.(ino)
    resized.add(ino)
  })
}

/** Throws EDQUOT where bytes of the kernel's cache were not taken. */
export function assertTaken(fs: FsContext, ino: number): void {
  if (fs.refused.has(ino)) fail(EDQUOT)
}

/** The same at a close, for the last time: somebody has heard of it. */
export function assertTakenAtLast(fs: FsContext, ino: number): void {
  if (!fs.refused.delete(ino)) return
  forgetCached(fs, ino)
  fail(EDQUOT)
}

/** Lets an inode become a user's. */
export function admitNewOwner(fs: FsContext, ino: number, uid: number): void {
  exactly(fs, () => admitOwner(fs.core, getInode(fs.core, ino), uid))
}

/** Lets a regular file grow by as much as `growth` says. */
export function admitRange(fs: FsContext, ino: number, growth: (inode: Inode) => number): void {
  const { core } = fs
  const inode = getInode(core, ino)
  if (!isRegular(inode.mode) || !isLimited(core, inode.uid)) return
  exactly(fs, () => admit(core, inode.uid, { bytes: growth(inode), files: 0 }))
}

/** Lets a user have one more inode. */
export function admitFile(fs: FsContext, { uid }: Caller, bytes = 0): void {
  exactly(fs, () => admit(fs.core, uid, { bytes, files: 1 }))
}

/**
 * Buffered writes and files just deleted may count too much: before anything is refused they are
 * settled, and the quota asked again.
 */
function exactly(fs: FsContext, ask: () => void): void {
  try {
    ask()
  } catch (error) {
    if (!(error instanceof FsError)) throw error
    for (const dirty of [...fs.core.dirty]) flushWrites(fs.core, dirty)
    assertForgotten(fs)
    ask()
  }
}

/** Throws a Fault to wait for the kernel's FORGET of files that were just deleted. */
function assertForgotten({ core: { orphans, usage } }: FsContext): void {
  if (orphans.size === 0 || steadyMs() > usage.namelessSinceMs + FORGET_MS) return
  throw new Fault(() => sleep(FORGET_STEP_MS))
}

/**
 * Whether write(2) is refused: bytes of the file were lost, and nobody has heard of it, or it would
 * make the file longer and nothing is left.
 */
export function isRefused(fs: FsContext, caller: Caller, ino: number): boolean {
  if (fs.readOnly) return false
  if (fs.refused.has(ino)) return true
  const { core } = fs
  const inode = findInode(core, ino)
  if (inode === undefined || !isRegular(inode.mode) || !isLimited(core, inode.uid)) return false
  if (left(core, inode.uid) > 0) return false
  assertForgotten(fs)
  return chargeOf(inode) === 0 || writesAtEnd(caller.pid, ino, inode.size)
}
