// Each operation in one body: whether there is memory for it, who acts, which of the two answers
// it, the vault or its views, and for the vault whether there is room (admission.ts). Numbers from
// VIEW_BASE on belong to the views. What has to do with both is here too: the way in, the name
// .avfs in real directories, and moves and links from one to the other.

import { EBUSY, EDQUOT, EEXIST, EINVAL, EISDIR, EROFS, EXDEV, fail } from '../base/errno.ts'
import { DT_DIR } from '../base/mode.ts'
import { isProvisional, ROOT_INO } from '../vault/core/inode.ts'
import { ACL_ACCESS } from '../vault/tree/acl.ts'
import { findEntry } from '../vault/tree/directory.ts'
import { claim, getInode } from '../vault/tree/inodes.ts'
import { CAPABILITY } from '../vault/tree/xattrs.ts'
import {
  admitAllocation,
  admitChange,
  admitCopy,
  admitCreate,
  admitNew,
  admitRemoval,
  admitRename,
  admitRows,
  admitWrite,
} from './admission.ts'
import { getattr, setattr, statfs } from './attr.ts'
import { type FsContext, forgetNode, isHeld } from './context.ts'
import { create, link, mkdir, mknod, symlink, tmpfile } from './create.ts'
import { lookup, opendir, readdir, releasedir } from './dir.ts'
import { copyFileRange, fallocate, flush, lseek, read, readlink, sync, write } from './file.ts'
import type { MemoryGuard } from './memory-guard.ts'
import { getDirectory } from './node.ts'
import type { Caller, Operations, TakeEntry } from './operations.ts'
import { noteOrigin } from './overlay-origin.ts'
import { SOME_CAPABILITY } from './privileges.ts'
import { assertResized, assertTaken, assertTakenAtLast, isRefused } from './quota.ts'
import { rename, rmdir, unlink } from './remove.ts'
import { guardChanged } from './virtual/fixed-views.ts'
import { endCopy, noteSource } from './virtual/tag-copy.ts'
import { AVFS_NAME, numberOf, VIEW_BASE } from './virtual/view.ts'
import type { ViewOperations } from './virtual/view-operations.ts'
import { getxattr, listxattr, removexattr, setxattr } from './xattr.ts'

/** The position after .avfs in a listing that shows it: after all that a directory can hold. */
const LAST_COOKIE = 2 ** 52

interface Routes {
  /** The views of the vault, if it has any. */
  readonly virtual: ViewOperations | undefined
  /** The root shows .avfs. */
  readonly listed: boolean
  /** Undefined where memory is no matter. */
  readonly memory: MemoryGuard | undefined
}

/** Names of a view that come with attributes, whoever lists it. */
const OFFERED_MAX = 256

/** The operations of a vault and of its views. */
export function routed(fs: FsContext, { virtual, listed, memory }: Routes): Operations {
  const { core } = fs
  const { actors } = core
  const viewsOf = (ino: number): ViewOperations | undefined =>
    ino < VIEW_BASE ? undefined : virtual

  /** The rows that are made from here on are the caller's. */
  function actAs({ uid, pid }: Caller): void {
    actors.act(uid, pid)
  }

  /** Where a directory's views are entered. */
  function wayIn(parent: number, name: string): ViewOperations | undefined {
    return name === AVFS_NAME && parent < VIEW_BASE ? virtual : undefined
  }

  /** Throws EEXIST for the name that every directory has already. */
  function assertFree(parent: number, name: string): void {
    if (wayIn(parent, name) !== undefined) fail(EEXIST)
  }

  function forget(ino: number, count: number): void {
    forgetNode(fs, ino, count)
    if (fs.refused.size > 0 && !isHeld(fs, ino)) fs.refused.delete(ino)
  }

  function renameAcross(
    caller: Caller,
    parent: number,
    name: string,
    newParent: number,
    newName: string,
    flags: number,
  ): void {
    if (flags > 1) fail(EINVAL)
    const from = viewsOf(parent)
    if (from !== undefined) {
      from.moveOut(caller, parent, name, newParent, newName)
      return
    }
    // The file stays where it is: it is labelled.
    const row = findEntry(core, parent, name)
    const into = viewsOf(newParent)
    if (row === undefined || row.type === DT_DIR || into === undefined) fail(EROFS)
    const node = into.moveIn(caller, newParent, row.ino, newName)
    forget(node.ino, 1)
  }

  function listRoot(cookie: number, list: (take: TakeEntry) => void, take: TakeEntry): void {
    let isFull = false
    if (cookie < LAST_COOKIE)
      list((name, ino, type, next, node) => {
        const isTaken = take(name, ino, type, next, node)
        isFull ||= !isTaken
        return isTaken
      })
    // One that was made while there were no views is listed already.
    const isListed = findEntry(core, ROOT_INO, AVFS_NAME) !== undefined
    if (isFull || isListed || cookie >= LAST_COOKIE) return
    take(AVFS_NAME, numberOf(`${AVFS_NAME}\0${ROOT_INO}`), DT_DIR, LAST_COOKIE, undefined)
  }

  return {
    lookup(caller, parent, name) {
      const entered = wayIn(parent, name)
      if (entered !== undefined) {
        getDirectory(core, parent)
        return entered.enter(parent)
      }
      const views = viewsOf(parent)
      fs.listers.asked(caller.pid, parent, name)
      // What is in the vault must be found, or nothing can be read, saved or deleted.
      if (views === undefined) return lookup(fs, caller, parent, name)
      memory?.assertViews()
      return views.lookup(caller, parent, name)
    },
    forget(ino, count) {
      const views = viewsOf(ino)
      if (views === undefined) forget(ino, count)
      else views.forget(ino, count)
      const copies = virtual?.context.copies
      if (copies !== undefined && copies.size > 0 && !fs.lookups.has(ino)) copies.delete(ino)
    },
    getattr(caller, ino) {
      const views = viewsOf(ino)
      return views === undefined ? getattr(fs, ino) : views.getattr(caller, ino)
    },
    setattr(caller, ino, change) {
      actAs(caller)
      const views = viewsOf(ino)
      if (views !== undefined) return views.setattr(caller, ino, change)
      admitChange(fs, ino, change)
      // The change is used again.
      const { mode, uid, gid } = change
      const node = setattr(fs, caller, ino, change)
      const isGuard = (mode ?? uid ?? gid) !== undefined
      if (isGuard && virtual !== undefined) guardChanged(virtual.context, ino)
      return node
    },
    readlink(caller, ino) {
      const views = viewsOf(ino)
      return views === undefined ? readlink(fs, ino) : views.readlink(caller, ino)
    },

    mknod(caller, parent, name, mode, rdev, umask) {
      memory?.assertMore()
      actAs(caller)
      assertFree(parent, name)
      const views = viewsOf(parent)
      if (views !== undefined) return views.mknod(caller, parent, name, mode, rdev, umask)
      admitNew(fs, caller)
      return mknod(fs, caller, parent, name, mode, rdev, umask)
    },
    mkdir(caller, parent, name, mode, umask) {
      memory?.assertMore()
      actAs(caller)
      assertFree(parent, name)
      const views = viewsOf(parent)
      if (views !== undefined) return views.mkdir(caller, parent, name, mode, umask)
      admitNew(fs, caller)
      return mkdir(fs, caller, parent, name, mode, umask)
    },
    symlink(caller, parent, name, target) {
      memory?.assertMore()
      actAs(caller)
      assertFree(parent, name)
      const views = viewsOf(parent)
      if (views !== undefined) return views.symlink(caller, parent, name, target)
      admitNew(fs, caller, target.length)
      return symlink(fs, caller, parent, name, target)
    },
    create(caller, parent, name, mode, umask, flags) {
      memory?.assertMore()
      actAs(caller)
      assertFree(parent, name)
      const views = viewsOf(parent)
      if (views !== undefined) return views.create(caller, parent, name, mode, umask, flags)
      admitCreate(fs, caller, parent, name)
      return create(fs, caller, parent, name, mode, umask, flags)
    },
    tmpfile(caller, parent, mode, umask) {
      memory?.assertMore()
      actAs(caller)
      const views = viewsOf(parent)
      if (views !== undefined) return views.tmpfile(caller, parent, mode, umask)
      admitNew(fs, caller)
      return tmpfile(fs, caller, parent, mode, umask)
    },
    link(caller, ino, parent, name) {
      memory?.assertMore()
      actAs(caller)
      assertFree(parent, name)
      if (viewsOf(ino) !== undefined) return fail(EXDEV)
      const views = viewsOf(parent)
      if (views !== undefined) return views.moveIn(caller, parent, ino, name)
      admitRows(fs)
      return link(fs, ino, parent, name)
    },
    unlink(caller, parent, name) {
      actAs(caller)
      if (wayIn(parent, name) !== undefined) fail(EISDIR)
      const views = viewsOf(parent)
      if (views !== undefined) return views.unlink(caller, parent, name)
      admitRemoval(fs)
      unlink(fs, parent, name)
    },
    rmdir(caller, parent, name) {
      actAs(caller)
      if (wayIn(parent, name) !== undefined) fail(EBUSY)
      const views = viewsOf(parent)
      if (views !== undefined) return views.rmdir(caller, parent, name)
      admitRemoval(fs)
      rmdir(fs, parent, name)
    },
    rename(caller, parent, name, newParent, newName, flags) {
      actAs(caller)
      if ((wayIn(parent, name) ?? wayIn(newParent, newName)) !== undefined) fail(EBUSY)
      const views = viewsOf(parent)
      if (views !== viewsOf(newParent))
        return renameAcross(caller, parent, name, newParent, newName, flags)
      if (views !== undefined) return views.rename(caller, parent, name, newParent, newName, flags)
      admitRename(fs, caller, flags)
      rename(fs, caller, parent, name, newParent, newName, flags)
    },

    read(caller, ino, offset, size, flags = 0) {
      const views = viewsOf(ino)
      return views === undefined
        ? read(fs, caller, ino, offset, size, flags)
        : views.read(caller, ino, offset, size, flags)
    },
    write(caller, ino, offset, data, killPrivileges, cached) {
      // What the kernel writes back is nobody's: the file is its writer's when that one closes it.
      if (cached) actors.actAs(null)
      else actAs(caller)
      const views = viewsOf(ino)
      if (views !== undefined) return views.write(caller, ino, offset, data, killPrivileges, cached)
      if (!admitWrite(fs, ino, offset, data.length, cached)) return undefined
      return write(fs, caller, ino, offset, data, killPrivileges, cached)
    },
    flush(caller, ino) {
      actAs(caller)
      if (virtual?.context.copies.has(ino) === true) return endCopy(virtual.context, ino)
      if (viewsOf(ino) !== undefined) return
      assertResized(fs, ino)
      flush(fs, caller, ino)
      assertTakenAtLast(fs, ino)
    },
    // Not async: a read that must wait is thrown before there is something to wait for.
    fsync(caller, ino) {
      actAs(caller)
      const views = viewsOf(ino)
      if (views !== undefined) return views.fsync(caller, ino)
      const inode = getInode(core, ino)
      if (isProvisional(inode)) claim(core, inode)
      return sync(fs).then(() => assertTaken(fs, ino))
    },
    syncfs: () => sync(fs),
    fallocate(caller, ino, offset, length, mode) {
      actAs(caller)
      const views = viewsOf(ino)
      if (views !== undefined) return views.fallocate(caller, ino, offset, length, mode)
      admitAllocation(fs, ino, offset, length, mode)
      fallocate(fs, caller, ino, offset, length, mode)
    },
    lseek(caller, ino, offset, whence) {
      const views = viewsOf(ino)
      return views === undefined
        ? lseek(fs, ino, offset, whence)
        : views.lseek(caller, ino, offset, whence)
    },
    copyFileRange(caller, from, fromOffset, to, toOffset, length) {
      memory?.assertMore()
      actAs(caller)
      if (viewsOf(to) !== undefined) return fail(EROFS)
      // The kernel then reads and writes by itself.
      if (viewsOf(from) !== undefined) return fail(EXDEV)
      if (virtual?.context.copies.has(to) === true)
        return noteSource(virtual.context, to, from, fromOffset, length)
      admitCopy(fs, from, fromOffset, to, toOffset, length)
      return copyFileRange(fs, caller, from, fromOffset, to, toOffset, length)
    },

    opendir(caller, ino) {
      const views = viewsOf(ino)
      if (views === undefined) return opendir(fs, caller, ino)
      memory?.assertViews()
      fs.listers.begin(caller.pid, ino)
      return views.opendir(caller, ino)
    },
    readdir(caller, ino, handle, cookie, plus, take) {
      const views = viewsOf(ino)
      if (views !== undefined) {
        // The nodes of views take long to make: only the first are offered to everybody.
        const isFull = plus && (cookie < OFFERED_MAX || fs.listers.isProved(caller.pid))
        if (isFull) memory?.assertViews()
        return views.readdir(caller, ino, handle, cookie, isFull, take)
      }
      const list = (into: TakeEntry): void => readdir(fs, caller, ino, handle, cookie, plus, into)
      if (listed && ino === ROOT_INO) listRoot(cookie, list, take)
      else list(take)
    },
    releasedir(handle) {
      if (virtual?.releasedir(handle) !== true) releasedir(fs, handle)
    },

    getxattr(caller, ino, name, sizeOnly) {
      const views = viewsOf(ino)
      if (views !== undefined) return views.getxattr(caller, ino, name, sizeOnly)
      if (name === CAPABILITY && sizeOnly && isRefused(fs, caller, ino)) return SOME_CAPABILITY
      const value = getxattr(fs, ino, name)
      noteOrigin(fs, caller, name, value)
      return value
    },
    listxattr(caller, ino) {
      const views = viewsOf(ino)
      return views === undefined ? listxattr(fs, caller, ino) : views.listxattr(caller, ino)
    },
    setxattr(caller, ino, name, value, flags, killSetgid) {
      memory?.assertMore()
      actAs(caller)
      const views = viewsOf(ino)
      if (views !== undefined) return views.setxattr(caller, ino, name, value, flags, killSetgid)
      admitRows(fs, value.length)
      setxattr(fs, caller, ino, name, value, flags, killSetgid)
      if (name === ACL_ACCESS && virtual !== undefined) guardChanged(virtual.context, ino)
    },
    removexattr(caller, ino, name) {
      actAs(caller)
      const views = viewsOf(ino)
      if (views !== undefined) return views.removexattr(caller, ino, name)
      if (name === CAPABILITY && isRefused(fs, caller, ino)) fail(EDQUOT)
      admitRemoval(fs)
      removexattr(fs, caller, ino, name)
      if (name === ACL_ACCESS && virtual !== undefined) guardChanged(virtual.context, ino)
    },
    statfs: (caller) => statfs(fs, caller),
  }
}
