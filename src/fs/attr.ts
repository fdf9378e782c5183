// getattr, setattr, statfs.

import { wallTime } from '../base/clock.ts'
import { EINVAL, EISDIR, fail } from '../base/errno.ts'
import { NAME_BYTES_MAX } from '../base/limits.ts'
import { isDirectory, isRegular, S_IFMT } from '../base/mode.ts'
import { resizeContent } from '../vault/content/content.ts'
import { setOwner } from '../vault/core/charge.ts'
import type { Inode } from '../vault/core/inode.ts'
import { allowances } from '../vault/core/quota.ts'
import { ACL_ACCESS, aclAfterChmod } from '../vault/tree/acl.ts'
import { getXattr } from '../vault/tree/attached.ts'
import { alter, getInode } from '../vault/tree/inodes.ts'
import { prefetchInode } from '../vault/tree/prefetch.ts'
import { setXattr } from '../vault/tree/xattrs.ts'
import { noteChange, readyAtime } from './atime.ts'
import { assertChangeable, type FsContext } from './context.ts'
import { keepGuards, sealBefore } from './guards.ts'
import { toNode } from './node.ts'
import type { AttributeChange, Caller, FileSystemStatus, Node } from './operations.ts'
import { dropPrivileges } from './privileges.ts'

const PERMISSIONS = 0o7777
/** The unit of statfs. */
const BLOCK_BYTES = 4096
/** A guess at what an inode takes, to say how many more fit: honest enough for df -i. */
const INODE_BYTES = 1024

export function getattr(fs: FsContext, ino: number): Node {
  return toNode(getInode(fs.core, ino))
}

export function setattr(fs: FsContext, caller: Caller, ino: number, change: AttributeChange): Node {
  assertChangeable(fs)
  const { core } = fs
  const inode = getInode(core, ino)
  const { size, mode, uid, gid } = change
  const isGuard = isDirectory(inode.mode) && changesGuards(inode, change)
  if (isGuard) sealBefore(core, inode)
  prefetchInode(core, inode)
  readyAtime(fs, inode, change)
  if (isGuard) keepGuards(core, inode)
  const resized = size !== undefined && resize(fs, inode, size)
  alter(core, inode)
  if (change.killPrivileges || ((uid !== undefined || gid !== undefined) && mode === undefined))
    dropPrivileges(core, inode, caller)
  if (mode !== undefined) setMode(fs, inode, mode)
  if (uid !== undefined) setOwner(core, inode, uid)
  if (gid !== undefined) inode.gid = gid
  setTimes(inode, change, resized)
  noteChange(inode, caller, change)
  return toNode(inode)
}

function changesGuards(inode: Inode, { mode = inode.mode, uid, gid }: AttributeChange): boolean {
  return (
    ((mode ^ inode.mode) & PERMISSIONS) !== 0 ||
    (uid ?? inode.uid) !== inode.uid ||
    (gid ?? inode.gid) !== inode.gid
  )
}

/** Returns true when the file was truncated or extended. */
function resize(fs: FsContext, inode: Inode, size: number): boolean {
  if (!isRegular(inode.mode)) fail(isDirectory(inode.mode) ? EISDIR : EINVAL)
  if (size !== inode.size) resizeContent(fs.core, inode, size)
  return true
}

function setMode(fs: FsContext, inode: Inode, mode: number): void {
  inode.mode = (inode.mode & S_IFMT) | (mode & PERMISSIONS)
  const acl = getXattr(fs.core, inode, ACL_ACCESS)
  if (acl !== undefined) setXattr(fs.core, inode, ACL_ACCESS, aclAfterChmod(acl, mode), 0)
}

function setTimes(inode: Inode, change: AttributeChange, resized: boolean): void {
  const now = wallTime()
  if (change.atime !== undefined) {
    inode.atime = change.atime
    inode.atimeNs = change.atimeNs
  }
  if (change.mtime !== undefined) {
    inode.mtime = change.mtime
    inode.mtimeNs = change.mtimeNs
  } else if (resized) {
    inode.mtime = now.sec
    inode.mtimeNs = now.ns
  }
  inode.ctime = change.ctime ?? now.sec
  inode.ctimeNs = change.ctime === undefined ? now.ns : change.ctimeNs
}

/**
 * The room on the disk, or what a quota leaves of it to the caller: then its limit is the size, as
 * ext4 and XFS tell it.
 */
export function statfs(fs: FsContext, caller: Caller): FileSystemStatus {
  let { total, free, available } = fs.vault.space()
  let filesFree = Math.floor(available / INODE_BYTES)
  let files = fs.core.inodeCount + filesFree
  for (const { limit, used } of allowances(fs.core, caller.uid)) {
    if (limit.bytes < total) {
      total = limit.bytes
      free = Math.max(0, limit.bytes - used.bytes)
      available = Math.min(available, free)
    }
    if (limit.files < files) {
      files = limit.files
      filesFree = Math.max(0, Math.min(filesFree, limit.files - used.files))
    }
  }
  return {
    blockSize: BLOCK_BYTES,
    blocks: Math.ceil(total / BLOCK_BYTES),
    blocksFree: Math.floor(free / BLOCK_BYTES),
    blocksAvailable: Math.floor(available / BLOCK_BYTES),
    files,
    filesFree,
    nameMax: NAME_BYTES_MAX,
  }
}
