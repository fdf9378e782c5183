// getxattr, listxattr, setxattr, removexattr: the namespaces of xattr(7), the access lists that
// live in them, and the labels that desktops keep there.

import { EEXIST, EINVAL, ENODATA, EOPNOTSUPP, fail } from '../base/errno.ts'
import { isDirectory, S_ISGID } from '../base/mode.ts'
import type { Inode } from '../vault/core/inode.ts'
import { ACL_ACCESS, ACL_DEFAULT, modeOfAcl, parseAcl } from '../vault/tree/acl.ts'
import { getXattr, listXattrs, tagsOf } from '../vault/tree/attached.ts'
import { alter, getInode, stampChange } from '../vault/tree/inodes.ts'
import { prefetchInode } from '../vault/tree/prefetch.ts'
import { fitTags, setTags, toXdgTags, XDG_TAGS } from '../vault/tree/tags.ts'
import { removeXattr, setXattr, XATTR_CREATE, XATTR_REPLACE } from '../vault/tree/xattrs.ts'
import { noteAttributes } from './atime.ts'
import { assertChangeable, type FsContext } from './context.ts'
import { keepGuards, sealBefore } from './guards.ts'
import type { Caller } from './operations.ts'

export const TRUSTED = 'trusted.'

function isSupported(name: string): boolean {
  return (
    name.startsWith('user.') ||
    name.startsWith(TRUSTED) ||
    name.startsWith('security.') ||
    name === ACL_ACCESS ||
    name === ACL_DEFAULT
  )
}

export function getxattr(fs: FsContext, ino: number, name: string): Uint8Array | undefined {
  if (!isSupported(name)) fail(EOPNOTSUPP)
  const inode = getInode(fs.core, ino)
  if (name !== XDG_TAGS) return getXattr(fs.core, inode, name)
  return inode.tags === 0 ? undefined : toXdgTags(tagsOf(fs.core, ino))
}

/** trusted.* is shown to root alone. */
export function listxattr(fs: FsContext, caller: Caller, ino: number): readonly string[] {
  const inode = getInode(fs.core, ino)
  const names = listXattrs(fs.core, inode)
  if (inode.tags > 0) names.push(XDG_TAGS)
  return caller.uid === 0 ? names : names.filter((name) => !name.startsWith(TRUSTED))
}

export function setxattr(
  fs: FsContext,
  caller: Caller,
  ino: number,
  name: string,
  value: Uint8Array,
  flags: number,
  killSetgid: boolean,
): void {
  assertChangeable(fs)
  if (!isSupported(name)) fail(EOPNOTSUPP)
  if (name.endsWith('.') && name.indexOf('.') === name.length - 1) fail(EINVAL)
  const inode = getInode(fs.core, ino)
  if (name === ACL_ACCESS) setAccessAcl(fs, inode, value, killSetgid)
  else if (name === XDG_TAGS) setXdgTags(fs, inode, value, flags)
  else {
    if (name === ACL_DEFAULT) parseAcl(value)
    setXattr(fs.core, inode, name, value, flags)
  }
  noteAttributes(inode, caller)
}

function setAccessAcl(fs: FsContext, inode: Inode, value: Uint8Array, killSetgid: boolean): void {
  const { mode, keep } = modeOfAcl(inode.mode, value)
  if (isDirectory(inode.mode)) sealBefore(fs.core, inode)
  prefetchInode(fs.core, inode)
  if (isDirectory(inode.mode)) keepGuards(fs.core, inode)
  alter(fs.core, inode)
  inode.mode = killSetgid ? mode & ~S_ISGID : mode
  if (keep) setXattr(fs.core, inode, ACL_ACCESS, value, 0)
  else if (getXattr(fs.core, inode, ACL_ACCESS) !== undefined)
    removeXattr(fs.core, inode, ACL_ACCESS)
  stampChange(inode, false)
}

function setXdgTags(fs: FsContext, inode: Inode, value: Uint8Array, flags: number): void {
  if (inode.tags > 0 && (flags & XATTR_CREATE) !== 0) fail(EEXIST)
  if (inode.tags === 0 && (flags & XATTR_REPLACE) !== 0) fail(ENODATA)
  setTags(fs.core, inode, fitTags(value))
}

export function removexattr(fs: FsContext, caller: Caller, ino: number, name: string): void {
  assertChangeable(fs)
  if (!isSupported(name)) fail(EOPNOTSUPP)
  const inode = getInode(fs.core, ino)
  noteAttributes(inode, caller)
  if (name === XDG_TAGS) {
    if (inode.tags === 0) fail(ENODATA)
    setTags(fs.core, inode, [])
    return
  }
  // Removing a list that is not there leaves what was asked for.
  const isAcl = name === ACL_ACCESS || name === ACL_DEFAULT
  if (isAcl && getXattr(fs.core, inode, name) === undefined) return
  if (name === ACL_ACCESS && isDirectory(inode.mode)) {
    sealBefore(fs.core, inode)
    prefetchInode(fs.core, inode)
    keepGuards(fs.core, inode)
  }
  removeXattr(fs.core, inode, name)
}
