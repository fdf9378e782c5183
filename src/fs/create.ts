// Making inodes: mknod, mkdir, symlink, create, tmpfile, link. Owner, group, mode and access lists
// of what is made are here.

import { EEXIST, EINVAL, ENAMETOOLONG, ENOENT, EPERM, fail } from '../base/errno.ts'
import { SYMLINK_BYTES_MAX } from '../base/limits.ts'
import {
  fileType,
  isDirectory,
  isKnownType,
  isRegular,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_ISGID,
} from '../base/mode.ts'
import { CREATED, LINKED, type Origin } from '../store/collections.ts'
import { writeContent } from '../vault/content/content.ts'
import { seal } from '../vault/content/seal.ts'
import type { Inode } from '../vault/core/inode.ts'
import { ACL_ACCESS, ACL_DEFAULT, inheritAcl } from '../vault/tree/acl.ts'
import { getXattr } from '../vault/tree/attached.ts'
import { findEntry, putEntry, startDirectory } from '../vault/tree/directory.ts'
import { addLink, createInode, detach, getInode } from '../vault/tree/inodes.ts'
import { giveName } from '../vault/tree/names.ts'
import { prefetchInode, prefetchName, prefetchTags } from '../vault/tree/prefetch.ts'
import { claimTags, tagsLeftAt } from '../vault/tree/tags.ts'
import { setXattr } from '../vault/tree/xattrs.ts'
import { assertChangeable, type FsContext, giveNode } from './context.ts'
import { sealBefore } from './guards.ts'
import { assertNewName, getDirectory } from './node.ts'
import type { Caller, Node } from './operations.ts'

const O_EXCL = 0o200
/** Type and permissions: all that a mode has. */
const MODE_BITS = 0o177777
/** All that a umask has: whatever comes as one, the type stays. */
const UMASK_BITS = 0o777

/**
 * Makes an inode with the owner, group, mode and access lists that its parent directory gives it;
 * it has no name yet.
 */
export function makeInode(
  fs: FsContext,
  caller: Caller,
  parent: Inode,
  wanted: number,
  umask: number,
  rdev: number,
): Inode {
  const { core } = fs
  const defaults = getXattr(core, parent, ACL_DEFAULT)
  const symlink = (wanted & S_IFMT) === S_IFLNK
  const inherited = defaults === undefined || symlink ? undefined : inheritAcl(wanted, defaults)
  let mode = (inherited?.mode ?? (symlink ? wanted : wanted & ~(umask & UMASK_BITS))) & MODE_BITS
  let { gid } = caller
  if ((parent.mode & S_ISGID) !== 0) {
    gid = parent.gid
    if (isDirectory(mode)) mode |= S_ISGID
  }
  const inode = createInode(
    core,
    { mode, uid: caller.uid, gid, rdev, parent: isDirectory(mode) ? parent.ino : 0 },
    core.moments.next(),
    isRegular(mode) || symlink,
  )
  if (inherited?.access !== undefined) setXattr(core, inode, ACL_ACCESS, inherited.access, 0)
  if (isDirectory(mode)) {
    if (defaults !== undefined) setXattr(core, inode, ACL_DEFAULT, defaults, 0)
    inode.nlink = 2
    startDirectory(core, inode.ino)
  }
  return inode
}

/** Gives a new inode its first name, or a further one. */
export function nameInode(
  fs: FsContext,
  parent: Inode,
  name: string,
  inode: Inode,
  origin: Origin = CREATED,
): void {
  const to = { ino: inode.ino, type: fileType(inode.mode) }
  putEntry(fs.core, parent, name, to, fs.core.moments.next(), origin)
  giveName(fs.core, inode, parent.ino, name)
}

/**
 * The directory, ready to take a new name. Throws EEXIST, EINVAL, ENAMETOOLONG, ENOENT, ENOTDIR.
 */
function directoryFor(fs: FsContext, parent: number, name: string): Inode {
  assertChangeable(fs)
  assertNewName(name)
  const directory = getDirectory(fs.core, parent)
  if (findEntry(fs.core, parent, name) !== undefined) fail(EEXIST)
  prefetchName(fs.core, directory, name)
  return directory
}

export function mknod(
  fs: FsContext,
  caller: Caller,
  parent: number,
  name: string,
  mode: number,
  rdev: number,
  umask: number,
): Node {
  const directory = directoryFor(fs, parent, name)
  if (isDirectory(mode)) fail(EPERM)
  const wanted = (mode & S_IFMT) === 0 ? mode | S_IFREG : mode
  if (!isKnownType(wanted)) fail(EINVAL)
  const inode = makeInode(fs, caller, directory, wanted, umask, rdev)
  nameInode(fs, directory, name, inode)
  return giveNode(fs, inode)
}

export function mkdir(
  fs: FsContext,
  caller: Caller,
  parent: number,
  name: string,
  mode: number,
  umask: number,
): Node {
  const directory = directoryFor(fs, parent, name)
  const inode = makeInode(fs, caller, directory, (mode & ~S_IFMT) | S_IFDIR, umask, 0)
  nameInode(fs, directory, name, inode)
  directory.nlink++
  return giveNode(fs, inode)
}

export function symlink(
  fs: FsContext,
  caller: Caller,
  parent: number,
  name: string,
  target: string,
): Node {
  if (target.length === 0) fail(ENOENT)
  if (target.length > SYMLINK_BYTES_MAX) fail(ENAMETOOLONG)
  const directory = directoryFor(fs, parent, name)
  const inode = makeInode(fs, caller, directory, S_IFLNK | 0o777, 0, 0)
  writeContent(fs.core, inode, 0, Buffer.from(target, 'latin1'))
  seal(fs.core, inode)
  nameInode(fs, directory, name, inode)
  return giveNode(fs, inode)
}

export function create(
  fs: FsContext,
  caller: Caller,
  parent: number,
  name: string,
  mode: number,
  umask: number,
  flags: number,
): Node {
  const { core } = fs
  const before = findEntry(core, parent, name)
  // The kernel held the name to be missing and was overtaken: open(2) without O_EXCL opens what is
  // there.
  if (before !== undefined && (flags & O_EXCL) === 0)
    return giveNode(fs, getInode(core, before.ino))
  const directory = directoryFor(fs, parent, name)
  prefetchTags(core, core.nextIno, tagsLeftAt(core, parent, name))
  const inode = makeInode(fs, caller, directory, (mode & ~S_IFMT) | S_IFREG, umask, 0)
  nameInode(fs, directory, name, inode)
  claimTags(core, inode, parent, name)
  return giveNode(fs, inode)
}

export function tmpfile(
  fs: FsContext,
  caller: Caller,
  parent: number,
  mode: number,
  umask: number,
): Node {
  assertChangeable(fs)
  const directory = getDirectory(fs.core, parent)
  const inode = makeInode(fs, caller, directory, (mode & ~S_IFMT) | S_IFREG, umask, 0)
  detach(fs.core, inode)
  return giveNode(fs, inode)
}

export function link(fs: FsContext, ino: number, parent: number, name: string): Node {
  const directory = directoryFor(fs, parent, name)
  const inode = getInode(fs.core, ino)
  if (isDirectory(inode.mode)) fail(EPERM)
  if (inode.nlink === 0 && !fs.core.orphans.has(ino)) fail(EINVAL)
  // Only O_TMPFILE may get a first name. The kernel asks all the same where it was not told yet
  // that the last one is gone.
  if (inode.nlink === 0 && inode.name !== '') fail(ENOENT)
  sealBefore(fs.core, inode)
  prefetchInode(fs.core, inode)
  const wasNamed = inode.nlink > 0
  addLink(fs.core, inode)
  nameInode(fs, directory, name, inode, wasNamed ? LINKED : CREATED)
  return giveNode(fs, inode)
}
