// Applies mode, owner, times, extended attributes and labels of an imported record.

import type { Attribute, EntryHead } from '../../archive/records.ts'
import { EINVAL, EOPNOTSUPP, FsError, fail } from '../../base/errno.ts'
import { isSymlink } from '../../base/mode.ts'
import { setOwner } from '../core/charge.ts'
import type { Core } from '../core/core.ts'
import type { Inode } from '../core/inode.ts'
import { ACL_ACCESS, ACL_DEFAULT, isWholeAcl, modeOfAcl, parseAcl } from '../tree/acl.ts'
import { getXattr, listXattrs, tagsOf } from '../tree/attached.ts'
import { alter, stampChange } from '../tree/inodes.ts'
import { fromXdgTags, setTags, XDG_TAGS } from '../tree/tags.ts'
import { removeXattr, setXattr } from '../tree/xattrs.ts'

/** True when an inode has everything that the record says, besides content; atime is ignored. */
export function hasHead(
  core: Core,
  inode: Inode,
  head: EntryHead,
  attributes: readonly Attribute[],
): boolean {
  const { mode, isListKept } = modeOf(head, attributes)
  if (inode.mode !== mode || inode.uid !== head.uid || inode.gid !== head.gid) return false
  if (inode.mtime !== head.mtime || inode.mtimeNs !== head.mtimeNs) return false
  const tags = attributes.find(({ name }) => name === XDG_TAGS)
  if (tags !== undefined && !hasTags(core, inode, tags.value)) return false
  const others = attributes.filter(
    ({ name }) => name !== XDG_TAGS && (name !== ACL_ACCESS || isListKept),
  )
  if (others.length !== inode.xattrs) return false
  return others.every(({ name, value }) => {
    const its = getXattr(core, inode, name)
    return its !== undefined && Buffer.compare(its, value) === 0
  })
}

/**
 * The mode that a record gives. An access list also states the permissions of owner, group or mask,
 * and others (acl(5)): where the two differ, the list wins, as if it was set last. A list that says
 * no more than a mode is not kept.
 */
function modeOf(
  { mode }: EntryHead,
  attributes: readonly Attribute[],
): { mode: number; isListKept: boolean } {
  const value = attributes.find(({ name }) => name === ACL_ACCESS)?.value
  if (value === undefined || !isAcl(value)) return { mode, isListKept: true }
  const { mode: its, keep } = modeOfAcl(mode, value)
  return { mode: its, isListKept: keep }
}

function isAcl(value: Uint8Array): boolean {
  try {
    return isWholeAcl(parseAcl(value))
  } catch (error) {
    if (error instanceof FsError) return false
    throw error
  }
}

function hasTags(core: Core, inode: Inode, value: Uint8Array): boolean {
  const wanted = [...fromXdgTags(value).fit].sort()
  const present = tagsOf(core, inode.ino).sort()
  return wanted.length === present.length && wanted.every((tag, at) => tag === present[at])
}

/**
 * Gives an inode everything that a record says, besides content. Labels stay when the record has
 * none. Throws EINVAL or EOPNOTSUPP for attributes that are invalid in a vault, after setting the
 * others.
 */
export function applyHead(
  core: Core,
  inode: Inode,
  head: EntryHead,
  attributes: readonly Attribute[],
): void {
  alter(core, inode)
  let refused = 0
  if (attributes.length > 0 || inode.xattrs > 0) refused = applyAttributes(core, inode, attributes)
  inode.mode = modeOf(head, attributes).mode
  setOwner(core, inode, head.uid)
  inode.gid = head.gid
  stampChange(inode, false)
  inode.mtime = head.mtime
  inode.mtimeNs = head.mtimeNs
  inode.atime = head.atime
  inode.atimeNs = head.atimeNs
  if (refused !== 0) fail(refused)
}

function applyAttributes(core: Core, inode: Inode, attributes: readonly Attribute[]): number {
  let refused = 0
  const wanted = new Set(attributes.map(({ name }) => name))
  for (const name of listXattrs(core, inode)) if (!wanted.has(name)) removeXattr(core, inode, name)
  for (const { name, value } of attributes) {
    try {
      applyAttribute(core, inode, name, value)
    } catch (error) {
      if (!(error instanceof Error) || !('errno' in error)) throw error
      refused = Number(error.errno)
    }
  }
  return refused
}

function applyAttribute(core: Core, inode: Inode, name: string, value: Uint8Array): void {
  if (name === XDG_TAGS) {
    const { fit, unfit } = fromXdgTags(value)
    setTags(core, inode, fit)
    for (const { errno } of unfit) fail(errno)
    return
  }
  if (name === ACL_ACCESS || name === ACL_DEFAULT) {
    if (isSymlink(inode.mode) || !isAcl(value)) fail(EINVAL)
    if (name === ACL_ACCESS && !modeOfAcl(0, value).keep) {
      if (getXattr(core, inode, name) !== undefined) removeXattr(core, inode, name)
      return
    }
  } else if (!/^(user|trusted|security)\../s.test(name)) fail(EOPNOTSUPP)
  const before = getXattr(core, inode, name)
  if (before === undefined || Buffer.compare(before, value) !== 0)
    setXattr(core, inode, name, value, 0)
}
