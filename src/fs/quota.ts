// Quotas, asked before an operation begins: what grows beyond one is EDQUOT, and all else goes on.
//
// The kernel takes the bytes of write(2) into its cache and hands them over later, when nobody waits for an answer any more. An
// error then would be EIO for close(2), whatever it was. So bytes for which there is no room are taken as if they had been
// stored, and whoever writes, syncs or closes the file next hears of it: write(2) because the kernel asks before it whether the
// file has a capability, which it would have to remove.

import { EDQUOT, FsError, fail } from '../base/errno.ts'
import { isRegular } from '../base/mode.ts'
import { copyGrowth, coveredOf, growthOf, spill } from '../vault/content.ts'
import { findEntry } from '../vault/directory.ts'
import type { Inode } from '../vault/inode.ts'
import { findInode, getInode } from '../vault/inodes.ts'
import { admit, admitOwner, isLimited, left } from '../vault/quota.ts'
import { chargeOf } from '../vault/usage.ts'
import { type FsContext, forgetCached, isHeld } from './context.ts'
import type { Caller, Operations } from './operations.ts'
import { RENAME_WHITEOUT } from './remove.ts'
import { writesAtEnd } from './write-position.ts'

const CAPABILITY = 'security.capability'
const SOME_CAPABILITY = new Uint8Array(20)
const PUNCH_HOLE = 0x02
const ZERO_RANGE = 0x10
const ONE_FILE = { bytes: 0, files: 1 }

/** The same operations, which throw EDQUOT before they change anything. */
export function withinQuota(fs: FsContext, operations: Operations): Operations {
  const { core } = fs
  if (fs.readOnly) return operations
  return {
    ...operations,
    mknod(caller, ...rest) {
      admit(core, caller.uid, ONE_FILE)
      return operations.mknod(caller, ...rest)
    },
    mkdir(caller, ...rest) {
      admit(core, caller.uid, ONE_FILE)
      return operations.mkdir(caller, ...rest)
    },
    symlink(caller, parent, name, target) {
      admit(core, caller.uid, { bytes: target.length, files: 1 })
      return operations.symlink(caller, parent, name, target)
    },
    create(caller, parent, name, ...rest) {
      if (findEntry(core, parent, name) === undefined) admit(core, caller.uid, ONE_FILE)
      return operations.create(caller, parent, name, ...rest)
    },
    tmpfile(caller, ...rest) {
      admit(core, caller.uid, ONE_FILE)
      return operations.tmpfile(caller, ...rest)
    },
    rename(caller, parent, name, newParent, newName, flags) {
      if ((flags & RENAME_WHITEOUT) !== 0) admit(core, caller.uid, ONE_FILE)
      operations.rename(caller, parent, name, newParent, newName, flags)
    },
    setattr(caller, ino, change) {
      const { uid } = change
      if (uid !== undefined) exactly(fs, () => admitOwner(core, getInode(core, ino), uid))
      return operations.setattr(caller, ino, change)
    },
    write(caller, ino, offset, data, killPrivileges, cached) {
      try {
        admitRange(fs, ino, (inode) => growthOf(core, inode, offset, offset + data.length))
        return operations.write(caller, ino, offset, data, killPrivileges, cached)
      } catch (error) {
        if (!cached || !(error instanceof FsError) || error.errno !== EDQUOT) throw error
        fs.refused.add(ino)
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
      operations.flush(caller, ino)
      if (!fs.refused.delete(ino)) return
      forgetCached(fs, ino)
      fail(EDQUOT)
    },
    async fsync(caller, ino) {
      await operations.fsync(caller, ino)
      if (fs.refused.has(ino)) fail(EDQUOT)
    },
    forget(ino, count) {
      operations.forget(ino, count)
      if (!isHeld(fs, ino)) fs.refused.delete(ino)
    },
  }
}

/** Lets a regular file grow by as much as `growth` says. */
function admitRange(fs: FsContext, ino: number, growth: (inode: Inode) => number): void {
  const { core } = fs
  const inode = getInode(core, ino)
  if (!isRegular(inode.mode) || !isLimited(core, inode.uid)) return
  exactly(fs, () => admit(core, inode.uid, { bytes: growth(inode), files: 0 }))
}

/** What is written and not yet stored may count too much: it is stored before anything is refused. */
function exactly({ core }: FsContext, ask: () => void): void {
  try {
    ask()
  } catch (error) {
    if (!(error instanceof FsError)) throw error
    for (const dirty of [...core.dirty]) spill(core, dirty)
    ask()
  }
}

/** Whether write(2) is refused: bytes of the file were lost, and nobody has heard of it, or it would make the file longer and nothing is left. */
function isRefused(fs: FsContext, caller: Caller, ino: number): boolean {
  if (fs.refused.has(ino)) return true
  const { core } = fs
  const inode = findInode(core, ino)
  if (inode === undefined || !isRegular(inode.mode) || !isLimited(core, inode.uid)) return false
  if (left(core, inode.uid) > 0) return false
  return chargeOf(inode) === 0 || writesAtEnd(caller.pid, ino, inode.size)
}
