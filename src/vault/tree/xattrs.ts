// Extended attributes of an inode: loaded once and cached, each with a lifetime of its own in
// history.

import { E2BIG, EEXIST, EINVAL, ENODATA, ENOSPC, ERANGE, fail } from '../../base/errno.ts'
import {
  XATTR_LIST_BYTES_MAX,
  XATTR_NAME_BYTES_MAX,
  XATTR_VALUE_BYTES_MAX,
} from '../../base/limits.ts'
import { type XattrRow, xattr, xattrPast } from '../../store/collections.ts'
import type { Core } from '../core/core.ts'
import type { Inode } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import { attributesOf } from './attached.ts'
import { isRecorded, recordedUntil } from './history-recording.ts'
import { alterNow, isOnRecord, stampChange } from './inodes.ts'
import { prefetchInode } from './prefetch.ts'

export const XATTR_CREATE = 1
export const XATTR_REPLACE = 2
/** File capabilities; see capabilities(7). */
export const CAPABILITY = 'security.capability'

/**
 * setxattr(2). `value` is copied. Throws EEXIST, ENODATA, E2BIG, ERANGE, EINVAL, ENOSPC (the list
 * of names would exceed what listxattr(2) can return).
 */
export function setXattr(
  core: Core,
  inode: Inode,
  name: string,
  value: Uint8Array,
  flags: number,
): void {
  if (name.length === 0 || name.length > XATTR_NAME_BYTES_MAX) fail(ERANGE)
  if (name.includes('\0')) fail(EINVAL)
  if (value.length > XATTR_VALUE_BYTES_MAX) fail(E2BIG)
  const attributes = attributesOf(core, inode)
  const before = attributes.get(name)
  if (before !== undefined && (flags & XATTR_CREATE) !== 0) fail(EEXIST)
  if (before === undefined) {
    if ((flags & XATTR_REPLACE) !== 0) fail(ENODATA)
    let listBytes = name.length + 1
    for (const other of attributes.keys()) listBytes += other.length + 1
    if (listBytes > XATTR_LIST_BYTES_MAX) fail(ENOSPC)
  }
  prefetchInode(core, inode)
  const moment = alterNow(core, inode)
  if (before !== undefined) retire(core, inode, before, moment)
  else inode.xattrs++
  const row: XattrRow = { ino: inode.ino, name, value: new Uint8Array(value), since: moment }
  attributes.set(name, row)
  core.overlay.put(xattr, row)
  stampChange(inode, false)
}

/** removexattr(2). Throws ENODATA. */
export function removeXattr(core: Core, inode: Inode, name: string): void {
  const before = inode.xattrs === 0 ? undefined : attributesOf(core, inode).get(name)
  if (before === undefined) fail(ENODATA)
  prefetchInode(core, inode)
  retire(core, inode, before, alterNow(core, inode))
  attributesOf(core, inode).delete(name)
  core.overlay.delete(xattr, [inode.ino, name])
  inode.xattrs--
  stampChange(inode, false)
}

function retire(core: Core, inode: Inode, row: XattrRow, moment: Moment): void {
  const until = isRecorded(core, inode) ? moment : Math.min(moment, recordedUntil(core, row.ino))
  if (isOnRecord(core, inode, row.since) && row.since < until)
    core.overlay.put(xattrPast, { ...row, until })
}
