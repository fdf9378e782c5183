// Gives a present inode the mode, owner, times and extended attributes of a past state.

import { isDirectory, S_ISGID, S_ISUID } from '../../base/mode.ts'
import type { InodeRow } from '../../store/collections.ts'
import { setOwner } from '../core/charge.ts'
import type { Core } from '../core/core.ts'
import type { Inode } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import { getXattr, listXattrs } from '../tree/attached.ts'
import { alter, stampChange } from '../tree/inodes.ts'
import { prefetchInode } from '../tree/prefetch.ts'
import { XDG_TAGS } from '../tree/tags.ts'
import { CAPABILITY, removeXattr, setXattr } from '../tree/xattrs.ts'
import { xattrsAt } from './timeline.ts'

/** Excludes labels, which are set apart from attributes. */
function attributesAt(core: Core, ino: number, moment: Moment): Map<string, Uint8Array> {
  const found = xattrsAt(core, ino, moment)
  found.delete(XDG_TAGS)
  return found
}

/** Before `applyAttributes`, when something else is changed first. */
export function prefetchAttributes(core: Core, then: InodeRow, moment: Moment): void {
  if (!core.overlay.store.traits.synchronous) attributesAt(core, then.ino, moment)
}

/** True when `now` has the mode, owner, mtime and extended attributes of `then`. */
export function hasAttributes(core: Core, now: Inode, then: InodeRow, moment: Moment): boolean {
  if (now.mode !== then.mode || now.uid !== then.uid || now.gid !== then.gid) return false
  if (now.mtime !== then.mtime || now.mtimeNs !== then.mtimeNs) return false
  const attributes = attributesAt(core, then.ino, moment)
  if (attributes.size !== now.xattrs) return false
  for (const [name, value] of attributes)
    if (!isSame(getXattr(core, now, name), value)) return false
  return true
}

function isSame(value: Uint8Array | undefined, other: Uint8Array): boolean {
  return value !== undefined && Buffer.compare(value, other) === 0
}

/** Who asks for the restore, unless it is the owner of the vault. */
export interface Restorer {
  readonly uid: number
  readonly groups: ReadonlySet<number>
}

/**
 * Gives `now` the mode, owner, times and extended attributes of `then`, except for privileges of
 * programs that `by` could not grant: setuid only its owner can, setgid only an owner in the group,
 * capabilities only root.
 */
export function applyAttributes(
  core: Core,
  now: Inode,
  then: InodeRow,
  moment: Moment,
  by?: Restorer,
): void {
  const attributes = attributesAt(core, then.ino, moment)
  if (by !== undefined && by.uid !== 0) attributes.delete(CAPABILITY)
  prefetchInode(core, now)
  alter(core, now)
  for (const name of listXattrs(core, now)) if (!attributes.has(name)) removeXattr(core, now, name)
  for (const [name, value] of attributes)
    if (!isSame(getXattr(core, now, name), value)) setXattr(core, now, name, value, 0)
  now.mode = then.mode & ~withheld(then, by)
  setOwner(core, now, then.uid)
  now.gid = then.gid
  stampChange(now, false)
  now.atime = then.atime
  now.atimeNs = then.atimeNs
  now.mtime = then.mtime
  now.mtimeNs = then.mtimeNs
}

/** Mode bits that must not be restored. */
function withheld({ mode, uid, gid }: InodeRow, by: Restorer | undefined): number {
  if (by === undefined || by.uid === 0 || isDirectory(mode)) return 0
  if (by.uid !== uid) return S_ISUID | S_ISGID
  return by.groups.has(gid) ? 0 : S_ISGID
}
