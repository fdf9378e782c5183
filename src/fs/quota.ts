// Quotas, asked before an operation begins: what grows beyond one is EDQUOT, and all else goes on.
//
// The kernel takes the bytes of write(2) into its cache and hands them over later, when nobody waits for an answer any more. An
// error then would be EIO for close(2), whatever it was. So bytes for which there is no room are taken as if they had been
// stored, and whoever writes, syncs or closes the file next hears of it: write(2) because the kernel asks before it whether the
// file has a capability, which it would have to remove.

import { setTimeout as sleep } from 'node:timers/promises'
import { steadyMs } from '../base/clock.ts'
import { EDQUOT, FsError, fail } from '../base/errno.ts'
import { isRegular } from '../base/mode.ts'
import { Fault } from '../store/store.ts'
import { copyGrowth, coveredOf, flushWrites, growthOf } from '../vault/content/content.ts'
import type { Inode } from '../vault/core/inode.ts'
import { admit, admitOwner, isLimited, left } from '../vault/core/quota.ts'
import { chargeOf } from '../vault/core/usage.ts'
import { findEntry } from '../vault/tree/directory.ts'
import { findInode, getInode } from '../vault/tree/inodes.ts'
import { CAPABILITY } from '../vault/tree/xattrs.ts'
import { type FsContext, forgetCached, isHeld } from './context.ts'
import { PUNCH_HOLE, ZERO_RANGE } from './flags.ts'
import type { Caller, Operations } from './operations.ts'
import { SOME_CAPABILITY } from './privileges.ts'
import { RENAME_WHITEOUT } from './remove.ts'
import { writesAtEnd } from './write-position.ts'

/** How long the kernel may take to say that nobody uses a deleted file any more, and how often that is checked. */
const FORGET_MS = 50
const FORGET_STEP_MS = 5

/** The same operations, which throw EDQUOT before they change anything. */
export function withinQuota(fs: FsContext, operations: Operations): Operations {
  const { core } = fs
  if (fs.readOnly) return operations
  return {
    ...operations,
    mknod(caller, ...rest) {
      admitFile(fs, caller)
      return operations.mknod(caller, ...rest)
    },
    mkdir(caller, ...rest) {
      admitFile(fs, caller)
      return operations.mkdir(caller, ...rest)
    },
    symlink(caller, parent, name, target) {
      admitFile(fs, caller, target.length)
      return operations.symlink(caller, parent, name, target)
    },
    create(caller, parent, name, ...rest) {
      if (findEntry(core, parent, name) === undefined) admitFile(fs, caller)
      return operations.create(caller, parent, name, ...rest)
    },
    tmpfile(caller, ...rest) {
      admitFile(fs, caller)
      return operations.tmpfile(caller, ...rest)
    },
    rename(caller, parent, name, newParent, newName, flags) {
      if ((flags & RENAME_WHITEOUT) !== 0) admitFile(fs, caller)
      operations.rename(caller, parent, name, newParent, newName, flags)
    },
    setattr(caller, ino, change) {
      const { uid } = change
      if (uid !== undefined) exactly(fs, () => admitOwner(core, getInode(core, ino), uid))
      return operations.setattr(caller, ino, change)
    },
    write(caller, ino, offset, data, killPrivileges, cached) {
      // Bytes behind refused ones are refused, too: nobody would notice a hole in the middle.
      const from = fs.refused.get(ino) ?? Number.POSITIVE_INFINITY
      try {
        if (cached && offset >= from) fail(EDQUOT)
        admitRange(fs, ino, (inode) => growthOf(core, inode, offset, offset + data.length))
        return operations.write(caller, ino, offset, data, killPrivileges, cached)
      } catch (error) {
        if (!cached || !(error instanceof FsError) || error.errno !== EDQUOT) throw error
        fs.refused.set(ino, Math.min(from, offset))
        forgetCached(fs, ino)
        return undefined
      }
    },
    fallocate(caller, ino, offset, length, mode) {
      if ((mode & (PUNCH_HOLE | ZERO_RANGE)) === 0)
        admitRange(fs, ino, (inode) => length - coveredOf(core, inode, offset, offset + length))
      operations.fallocate(caller, ino, offset, length, mode)
    },
    copyFileRange(caller, from, fromOffset, to, toOffset, length) {
      const source = getInode(core, from)
      admitRange(fs, to, (target) => copyGrowth(core, source, fromOffset, target, toOffset, length))
      return operations.copyFileRange(caller, from, fromOffset, to, toOffset, length)
    },
    getxattr(caller, ino, name, sizeOnly) {
      if (name === CAPABILITY && sizeOnly && isRefused(fs, caller, ino)) return SOME_CAPABILITY
      return operations.getxattr(caller, ino, name, sizeOnly)
    },
    removexattr(caller, ino, name) {
      if (name === CAPABILITY && isRefused(fs, caller, ino)) fail(EDQUOT)
      operations.removexattr(caller, ino, name)
    },
    flush(caller, ino) {
      assertResized(fs, ino)
      operations.flush(caller, ino)
      if (!fs.refused.delete(ino)) return
      forgetCached(fs, ino)
      fail(EDQUOT)
    },
    fsync: (caller, ino) =>
      operations.fsync(caller, ino).then(() => {
        if (fs.refused.has(ino)) fail(EDQUOT)
      }),
    forget(ino, count) {
      operations.forget(ino, count)
      if (!isHeld(fs, ino)) fs.refused.delete(ino)
    },
  }
}

/**
 * Throws a Fault that lets the kernel learn the true size of a file of which it had more: all that it had was handed over before it
 * said that the file is closed, and no write(2) begins until it is answered. Run again after that, it does nothing.
 */
function assertResized(fs: FsContext, ino: number): void {
  const { notices, refused, resized } = fs
  const isKnown = resized.delete(ino)
  if (isKnown || !refused.has(ino) || notices?.sizeChanged === undefined) return
  throw new Fault(async () => {
    await notices.inodeChanged(ino)
    await notices.sizeChanged?.(ino)
    resized.add(ino)
  })
}

/** Lets a regular file grow by as much as `growth` says. */
function admitRange(fs: FsContext, ino: number, growth: (inode: Inode) => number): void {
  const { core } = fs
  const inode = getInode(core, ino)
  if (!isRegular(inode.mode) || !isLimited(core, inode.uid)) return
  exactly(fs, () => admit(core, inode.uid, { bytes: growth(inode), files: 0 }))
}

function admitFile(fs: FsContext, { uid }: Caller, bytes = 0): void {
  exactly(fs, () => admit(fs.core, uid, { bytes, files: 1 }))
}

/** Buffered writes and files just deleted may count too much: before anything is refused they are settled, and the quota asked again. */
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

/** Whether write(2) is refused: bytes of the file were lost and no caller was told, or it would make the file longer and the quota is used up. */
function isRefused(fs: FsContext, caller: Caller, ino: number): boolean {
  if (fs.refused.has(ino)) return true
  const { core } = fs
  const inode = findInode(core, ino)
  if (inode === undefined || !isRegular(inode.mode) || !isLimited(core, inode.uid)) return false
  if (left(core, inode.uid) > 0) return false
  assertForgotten(fs)
  return chargeOf(inode) === 0 || writesAtEnd(caller.pid, ino, inode.size)
}
