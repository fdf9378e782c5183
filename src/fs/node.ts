// What src/fs answers with: an inode as the kernel sees it, and the checks that every operation
// begins with.

import { EINVAL, ENAMETOOLONG, ENOENT, ENOTDIR, fail } from '../base/errno.ts'
import { NAME_BYTES_MAX } from '../base/limits.ts'
import { isDirectory } from '../base/mode.ts'
import type { InodeRow } from '../store/collections.ts'
import type { Core } from '../vault/core/core.ts'
import type { Inode } from '../vault/core/inode.ts'
import { getInode } from '../vault/tree/inodes.ts'
import type { Node } from './operations.ts'

const SECTOR_BYTES = 512

/** The inode as stat(2) tells it, or a row of it, of which nothing waits to be written. */
export function toNode(inode: InodeRow & Partial<Pick<Inode, 'writeBuffer'>>): Node {
  let bytes = inode.allocated
  if (inode.writeBuffer !== undefined)
    for (const pieces of inode.writeBuffer.values())
      for (const piece of pieces) bytes += piece.bytes.length
  return {
    ino: inode.ino,
    mode: inode.mode,
    nlink: inode.nlink,
    uid: inode.uid,
    gid: inode.gid,
    rdev: inode.rdev,
    size: inode.size,
    atime: inode.atime,
    atimeNs: inode.atimeNs,
    mtime: inode.mtime,
    mtimeNs: inode.mtimeNs,
    ctime: inode.ctime,
    ctimeNs: inode.ctimeNs,
    btime: inode.btime,
    btimeNs: inode.btimeNs,
    blocks: Math.ceil(bytes / SECTOR_BYTES),
    volatile: false,
  }
}

/** The directory with that number. Throws ENOENT (gone, or without a name), ENOTDIR. */
export function getDirectory(core: Core, ino: number): Inode {
  const inode = getInode(core, ino)
  if (!isDirectory(inode.mode)) fail(ENOTDIR)
  if (inode.nlink === 0) fail(ENOENT)
  return inode
}

/** Throws ENAMETOOLONG. */
export function assertName(name: string): void {
  if (name.length > NAME_BYTES_MAX) fail(ENAMETOOLONG)
}

/**
 * The same of a name that is to be given. Throws EINVAL for what can be none; the kernel refuses it
 * before that.
 */
export function assertNewName(name: string): void {
  assertName(name)
  if (name === '' || name === '.' || name === '..' || name.includes('/')) fail(EINVAL)
}
