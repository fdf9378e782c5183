// The POSIX meaning of a vault as one object: each call goes to the family of operations that knows it.

import { Counters } from '../base/counters.ts'
import type { Memory } from '../base/memory.ts'
import { isProvisional } from '../vault/core/inode.ts'
import { claim, getInode } from '../vault/tree/inodes.ts'
import type { Vault } from '../vault/vault.ts'
import { getattr, setattr, statfs } from './attr.ts'
import { attributed } from './attributed.ts'
import { type AtimeRule, type FsContext, forgetNode, isHeld } from './context.ts'
import { create, link, mkdir, mknod, symlink, tmpfile } from './create.ts'
import { lookup, opendir, readdir, releasedir } from './dir.ts'
import { DirectoryListings } from './directory-listings.ts'
import { createEcho, type Echo } from './echo.ts'
import { copyFileRange, fallocate, flush, lseek, read, readlink, sync, write } from './file.ts'
import { Handles } from './handles.ts'
import type { KernelNotices, Operations } from './operations.ts'
import { noteOrigin } from './overlay-origin.ts'
import { withinQuota } from './quota.ts'
import { rename, rmdir, unlink } from './remove.ts'
import type { SearchService } from './search-service.ts'
import { withinRoom } from './space-guard.ts'
import { withViews } from './virtual/router.ts'
import { withinMemory } from './within-memory.ts'
import { getxattr, listxattr, removexattr, setxattr } from './xattr.ts'

/** The operations of a mounted vault. */
export interface FileSystem extends Operations {
  /** Tells the file system how to reach the kernel, once it listens. */
  setNotices(notices: KernelNotices): void
  /** Resolves when the kernel knows what has changed so far in views that it keeps. */
  kernelNotified(): Promise<void>
  /** Lets go of what can be had again: what open directories have read, and what the kernel keeps of the past. */
  dropCaches(): void
  /** True while the kernel knows the inode. */
  holds(ino: number): boolean
  /** How programs that watch directories hear of changes that do not come through the kernel. */
  readonly echo: Pick<Echo, 'by' | 'plan' | 'clear'>
}

interface FileSystemOptions {
  readonly readOnly: boolean
  /** Whether others than the one who mounted it may come, as they may if not told. */
  readonly shared?: boolean
  /** Whether directories have a .avfs: found when it is named (as by default), listed in the root too, or not at all. */
  readonly avfsdir?: 'hidden' | 'visible' | 'off'
}

interface FileSystemOptions {
  readonly readOnly: boolean
  readonly atime?: AtimeRule
  /** What .avfs/search asks. */
  readonly search?: SearchService
  /** Asked before what takes memory. */
  readonly memory?: Memory
}

/** Gives a vault its POSIX meaning. One file system a vault at a time. */
export function createFileSystem(vault: Vault, options: FileSystemOptions): FileSystem {
  const fs: FsContext = {
    vault,
    core: vault.core,
    readOnly: options.readOnly || vault.readOnly,
    shared: options.shared ?? true,
    atime: options.atime ?? 'relatime',
    search: options.search,
    lookups: new Counters(),
    handles: new Handles(),
    open: new Map(),
    listings: new DirectoryListings(vault.core),
    writtenBack: new Set(),
    refused: new Map(),
    resized: new Set(),
    notices: undefined,
    origin: undefined,
  }
  const real = withinQuota(fs, withinRoom(fs, realOperations(fs)))
  const { avfsdir } = options
  const viewed = avfsdir === 'off' ? undefined : withViews(fs, real, avfsdir === 'visible')
  const whole = attributed(fs, viewed ?? real)
  const { memory } = options
  const echo = createEcho(fs, memory === undefined ? whole : withinMemory(whole, fs.core, memory))
  return {
    ...echo.operations,
    echo,
    setNotices: (notices) => {
      fs.notices = notices
    },
    kernelNotified: async () => viewed?.kernelNotified(),
    dropCaches() {
      fs.listings.clear()
      viewed?.dropCaches()
    },
    holds: (ino) => isHeld(fs, ino),
  }
}

/** The operations on the vault as it is now. */
function realOperations(fs: FsContext): Operations {
  return {
    lookup: (caller, parent, name) => lookup(fs, caller, parent, name),
    forget: (ino, count) => forgetNode(fs, ino, count),
    getattr: (_caller, ino) => getattr(fs, ino),
    setattr: (caller, ino, change) => setattr(fs, caller, ino, change),
    readlink: (_caller, ino) => readlink(fs, ino),
    mknod: (caller, parent, name, mode, rdev, umask) =>
      mknod(fs, caller, parent, name, mode, rdev, umask),
    mkdir: (caller, parent, name, mode, umask) => mkdir(fs, caller, parent, name, mode, umask),
    symlink: (caller, parent, name, target) => symlink(fs, caller, parent, name, target),
    create: (caller, parent, name, mode, umask, flags) =>
      create(fs, caller, parent, name, mode, umask, flags),
    tmpfile: (caller, parent, mode, umask) => tmpfile(fs, caller, parent, mode, umask),
    link: (_caller, ino, parent, name) => link(fs, ino, parent, name),
    unlink: (_caller, parent, name) => unlink(fs, parent, name),
    rmdir: (_caller, parent, name) => rmdir(fs, parent, name),
    rename: (caller, parent, name, newParent, newName, flags) =>
      rename(fs, caller, parent, name, newParent, newName, flags),
    read: (caller, ino, offset, size, flags = 0) => read(fs, caller, ino, offset, size, flags),
    write: (caller, ino, offset, data, killPrivileges, cached) =>
      write(fs, caller, ino, offset, data, killPrivileges, cached),
    flush: (caller, ino) => flush(fs, caller, ino),
    // Not async: a read that must wait is thrown before there is something to wait for.
    fsync: (_caller, ino) => {
      const inode = getInode(fs.core, ino)
      if (isProvisional(inode)) claim(fs.core, inode)
      return sync(fs)
    },
    syncfs: () => sync(fs),
    fallocate: (caller, ino, offset, length, mode) =>
      fallocate(fs, caller, ino, offset, length, mode),
    lseek: (_caller, ino, offset, whence) => lseek(fs, ino, offset, whence),
    copyFileRange: (caller, from, fromOffset, to, toOffset, length) =>
      copyFileRange(fs, caller, from, fromOffset, to, toOffset, length),
    opendir: (caller, ino) => opendir(fs, caller, ino),
    readdir: (_caller, ino, handle, cookie, plus, take) =>
      readdir(fs, ino, handle, cookie, plus, take),
    releasedir: (handle) => releasedir(fs, handle),
    getxattr: (caller, ino, name) => {
      const value = getxattr(fs, ino, name)
      noteOrigin(fs, caller, name, value)
      return value
    },
    listxattr: (caller, ino) => listxattr(fs, caller, ino),
    setxattr: (caller, ino, name, value, flags, killSetgid) =>
      setxattr(fs, caller, ino, name, value, flags, killSetgid),
    removexattr: (caller, ino, name) => removexattr(fs, caller, ino, name),
    statfs: (caller) => statfs(fs, caller),
  }
}
