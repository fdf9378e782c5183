// Routes each operation by its number: those from VIEW_BASE on go to the views, all others to the vault. What concerns both
// is here: the name .avfs in real directories, and moves and links from one to the other.

import { EBUSY, EEXIST, EINVAL, EISDIR, EROFS, EXDEV, fail } from '../../base/errno.ts'
import { DT_DIR } from '../../base/mode.ts'
import type { Core } from '../../vault/core/core.ts'
import { ROOT_INO } from '../../vault/core/inode.ts'
import { ACL_ACCESS } from '../../vault/tree/acl.ts'
import { findEntry } from '../../vault/tree/directory.ts'
import type { FsContext } from '../context.ts'
import { getDirectory } from '../node.ts'
import type { Operations, TakeEntry } from '../operations.ts'
import { guardChanged } from './fixed-views.ts'
import { endCopy, noteSource } from './tag-copy.ts'
import { AVFS_NAME, numberOf, VIEW_BASE } from './view.ts'
import { createViewOperations } from './view-operations.ts'

/** The position after .avfs in a listing that shows it: after all that a directory can hold. */
const LAST_COOKIE = 2 ** 52

interface ViewedOperations extends Operations {
  /** Resolves when the kernel knows what has changed so far in views that it keeps. */
  kernelNotified(): Promise<void>
  /** Lets go of what can be had again. */
  dropCaches(): void
}

/** The operations of a vault with those of its views. `listed`: the root shows .avfs. */
export function withViews(fs: FsContext, real: Operations, listed: boolean): ViewedOperations {
  const virtual = createViewOperations(fs)
  const { context } = virtual
  const of = (
    ino: number,
  ): Omit<Operations, 'statfs' | 'syncfs' | 'releasedir' | 'copyFileRange'> =>
    ino < VIEW_BASE ? real : virtual

  return {
    kernelNotified: virtual.kernelNotified,
    dropCaches: virtual.dropCaches,
    lookup(caller, parent, name) {
      if (!isWayIn(parent, name)) return of(parent).lookup(caller, parent, name)
      getDirectory(fs.core, parent)
      return virtual.enter(parent)
    },
    forget(ino, count) {
      of(ino).forget(ino, count)
      if (context.copies.size > 0 && !fs.lookups.has(ino)) context.copies.delete(ino)
    },
    getattr: (caller, ino) => of(ino).getattr(caller, ino),
    setattr(caller, ino, change) {
      const { mode, uid, gid } = change
      const node = of(ino).setattr(caller, ino, change)
      if (mode !== undefined || uid !== undefined || gid !== undefined) guardChanged(context, ino)
      return node
    },
    readlink: (caller, ino) => of(ino).readlink(caller, ino),
    mknod(caller, parent, name, mode, rdev, umask) {
      assertFree(parent, name)
      return of(parent).mknod(caller, parent, name, mode, rdev, umask)
    },
    mkdir(caller, parent, name, mode, umask) {
      assertFree(parent, name)
      return of(parent).mkdir(caller, parent, name, mode, umask)
    },
    symlink(caller, parent, name, target) {
      assertFree(parent, name)
      return of(parent).symlink(caller, parent, name, target)
    },
    create(caller, parent, name, mode, umask, flags) {
      assertFree(parent, name)
      return of(parent).create(caller, parent, name, mode, umask, flags)
    },
    tmpfile: (caller, parent, mode, umask) => of(parent).tmpfile(caller, parent, mode, umask),
    link(caller, ino, parent, name) {
      assertFree(parent, name)
      if (ino >= VIEW_BASE) return fail(EXDEV)
      if (parent < VIEW_BASE) return real.link(caller, ino, parent, name)
      return virtual.moveIn(caller, parent, ino, name)
    },
    unlink(caller, parent, name) {
      if (isWayIn(parent, name)) fail(EISDIR)
      of(parent).unlink(caller, parent, name)
    },
    rmdir(caller, parent, name) {
      if (isWayIn(parent, name)) fail(EBUSY)
      of(parent).rmdir(caller, parent, name)
    },
    rename(caller, parent, name, newParent, newName, flags) {
      if (isWayIn(parent, name) || isWayIn(newParent, newName)) fail(EBUSY)
      if (parent < VIEW_BASE === newParent < VIEW_BASE)
        return of(parent).rename(caller, parent, name, newParent, newName, flags)
      if (flags > 1) return fail(EINVAL)
      if (parent >= VIEW_BASE) return virtual.moveOut(caller, parent, name, newParent, newName)
      // The file stays where it is: it is labelled.
      const node = virtual.moveIn(caller, newParent, fileAt(fs.core, parent, name), newName)
      real.forget(node.ino, 1)
    },
    read: (caller, ino, offset, size, flags) => of(ino).read(caller, ino, offset, size, flags),
    write: (caller, ino, offset, data, killPrivileges, cached) =>
      of(ino).write(caller, ino, offset, data, killPrivileges, cached),
    flush(caller, ino) {
      if (context.copies.has(ino)) endCopy(context, ino)
      else of(ino).flush(caller, ino)
    },
    fsync: (caller, ino) => of(ino).fsync(caller, ino),
    syncfs: (caller) => real.syncfs(caller),
    fallocate: (caller, ino, offset, length, mode) =>
      of(ino).fallocate(caller, ino, offset, length, mode),
    lseek: (caller, ino, offset, whence) => of(ino).lseek(caller, ino, offset, whence),
    copyFileRange(caller, from, fromOffset, to, toOffset, length) {
      if (to >= VIEW_BASE) return fail(EROFS)
      // On EXDEV the kernel reads and writes by itself.
      if (from >= VIEW_BASE) return fail(EXDEV)
      if (context.copies.has(to)) return noteSource(context, to, from, fromOffset, length)
      return real.copyFileRange(caller, from, fromOffset, to, toOffset, length)
    },
    opendir: (caller, ino) => of(ino).opendir(caller, ino),
    readdir(caller, ino, handle, cookie, plus, take) {
      const list = (into: TakeEntry): void =>
        of(ino).readdir(caller, ino, handle, cookie, plus, into)
      if (listed && ino === ROOT_INO) listRoot(fs.core, cookie, list, take)
      else list(take)
    },
    releasedir(handle) {
      if (!virtual.releasedir(handle)) real.releasedir(handle)
    },
    getxattr: (caller, ino, name, sizeOnly) => of(ino).getxattr(caller, ino, name, sizeOnly),
    listxattr: (caller, ino) => of(ino).listxattr(caller, ino),
    setxattr(caller, ino, name, value, flags, killSetgid) {
      of(ino).setxattr(caller, ino, name, value, flags, killSetgid)
      if (name === ACL_ACCESS) guardChanged(context, ino)
    },
    removexattr(caller, ino, name) {
      of(ino).removexattr(caller, ino, name)
      if (name === ACL_ACCESS) guardChanged(context, ino)
    },
    statfs: (caller) => real.statfs(caller),
  }
}

function isWayIn(parent: number, name: string): boolean {
  return name === AVFS_NAME && parent < VIEW_BASE
}

/** Throws EEXIST for the name that every directory has already. */
function assertFree(parent: number, name: string): void {
  if (isWayIn(parent, name)) fail(EEXIST)
}

/** Lists the root by `list`, with .avfs behind all other names. */
function listRoot(
  core: Core,
  cookie: number,
  list: (take: TakeEntry) => void,
  take: TakeEntry,
): void {
  let isFull = false
  if (cookie < LAST_COOKIE)
    list((name, ino, type, next, node) => {
      const isTaken = take(name, ino, type, next, node)
      isFull ||= !isTaken
      return isTaken
    })
  // A real .avfs, made while views were off, is listed already.
  const isListed = findEntry(core, ROOT_INO, AVFS_NAME) !== undefined
  if (isFull || isListed || cookie >= LAST_COOKIE) return
  take(AVFS_NAME, numberOf(`${AVFS_NAME}\0${ROOT_INO}`), DT_DIR, LAST_COOKIE, undefined)
}

/** The file that a name leads to, to be labelled. Throws EROFS for a directory, or nothing. */
function fileAt(core: Core, parent: number, name: string): number {
  const row = findEntry(core, parent, name)
  return row === undefined || row.type === DT_DIR ? fail(EROFS) : row.ino
}
