// Who may learn that something was found: a hit tells what is in a file, and its path how
// directories are filled. So it is shown to those alone who could have found it by walking: through
// directories that they may list and enter, to files that they may read. Of the past it is shown to
// those who could do so then, and have access to those directories today (past-access.ts).

import { isDirectory, isRegular } from '../../base/mode.ts'
import { type InodePastRow, type InodeRow, inodePast } from '../../store/collections.ts'
import type { Core } from '../../vault/core/core.ts'
import { cycleCheck } from '../../vault/core/cycles.ts'
import type { Moment } from '../../vault/core/moment.ts'
import { inodeAt, xattrsAt } from '../../vault/history/timeline.ts'
import { ACL_ACCESS } from '../../vault/tree/acl.ts'
import { findInode } from '../../vault/tree/inodes.ts'
import { MAY_READ, MAY_WALK, may, mayNow, type Reader } from '../access.ts'
import type { FsContext } from '../context.ts'
import { mayAccessNow, mightAccess, seesAll } from '../past-access.ts'
import { type Tagged, taggedFile } from './tagged.ts'

/**
 * What is below a directory now, and its path from there; undefined where it is not, or not for
 * this reader.
 */
export function readableBelow(
  core: Core,
  directory: number,
  ino: number,
  reader: Reader,
): Tagged | undefined {
  const found = walkableBelow(core, directory, ino, reader)
  const isClosed =
    found !== undefined &&
    isRegular(found.inode.mode) &&
    !mayNow(core, reader, found.inode, MAY_READ)
  return isClosed ? undefined : found
}

/** The same, whether the reader may read the file or not. */
export function walkableBelow(
  core: Core,
  directory: number,
  ino: number,
  reader: Reader,
): Tagged | undefined {
  return taggedFile(core, directory, ino, reader, MAY_WALK)
}

/**
 * The last state of what was below a directory and is gone; undefined where it was not, or not for
 * this reader. `parent`: the directory in which it had its name; by default its last.
 */
export function deletedBelow(
  fs: FsContext,
  directory: number,
  ino: number,
  reader: Reader,
  parent?: number,
): InodePastRow | undefined {
  const { core } = fs
  const range = { gte: [ino], lt: [ino + 1], reverse: true, limit: 1 } as const
  const [row] = core.overlay.scan(inodePast, range)
  if (row === undefined || isDirectory(row.mode)) return undefined
  const moment = row.until - 1
  const isCircle = cycleCheck()
  for (let ancestor = parent ?? row.parent; ancestor !== directory; ) {
    const above = inodeAt(core, ancestor, moment) ?? laterState(core, ancestor)
    if (above === undefined || above.parent === ancestor || isCircle(ancestor)) return undefined
    if (!mayWalk(fs, directory, ancestor, moment, reader)) return undefined
    ancestor = above.parent
  }
  return mayWalk(fs, directory, directory, moment, reader) ? row : undefined
}

/** The latest state of a directory, for when the one of that moment was pruned. */
function laterState(core: Core, ino: number): Pick<InodeRow, 'parent'> | undefined {
  const present = findInode(core, ino)
  if (present !== undefined && present.nlink > 0) return present
  return core.overlay.scan(inodePast, { gte: [ino], lt: [ino + 1], reverse: true, limit: 1 })[0]
}

/**
 * Whether the reader could list and enter a directory at a moment, and still can, on the way from
 * `top` if it is below that.
 */
function mayWalk(
  fs: FsContext,
  top: number,
  directory: number,
  moment: Moment,
  reader: Reader,
): boolean {
  return (
    mightAccess(fs, reader, directory, moment, MAY_WALK) &&
    mayAccessNow(fs, reader, directory, top, MAY_WALK)
  )
}

/**
 * Whether the reader could find and read a file at a moment. For its present state the access of
 * now decides.
 */
export function mightFind(
  fs: FsContext,
  top: number,
  ino: number,
  moment: Moment,
  reader: Reader,
): boolean {
  if (seesAll(fs, reader)) return true
  const { core } = fs
  const then = inodeAt(core, ino, moment)
  if (then === undefined) return false
  const acl = then.xattrs === 0 ? undefined : xattrsAt(core, ino, moment).get(ACL_ACCESS)
  if (!may(reader, then, acl, MAY_READ)) return false
  const now = findInode(core, ino)
  const isNow = now !== undefined && now.nlink > 0 && now.since <= moment
  if (isNow && readableBelow(core, top, ino, reader) !== undefined) return true
  return mayWalk(fs, top, then.parent, moment, reader)
}
