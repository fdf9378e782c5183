// Who may learn that something was found: a hit tells what is in a file, and its path how directories are filled. So it is shown to
// those alone who could have found it by walking: through directories that they may list and enter, to files that they may read.
// Of the past both count, what they may now and what they might then.

import { isDirectory, isRegular } from '../../base/mode.ts'
import { type InodePastRow, type InodeRow, inodePast } from '../../store/collections.ts'
import { ACL_ACCESS } from '../../vault/acl.ts'
import { circleCheck } from '../../vault/circle.ts'
import type { Core } from '../../vault/core.ts'
import { findInode } from '../../vault/inodes.ts'
import type { Moment } from '../../vault/moments.ts'
import { inodeAt, xattrsAt } from '../../vault/timeline.ts'
import { MAY_READ, MAY_SEARCH, may, mayNow, type Reader } from '../reach.ts'
import { type Tagged, taggedFile } from './tagged.ts'

const WALK = MAY_READ | MAY_SEARCH

/** What is below a directory now, and its path from there; undefined where it is not, or not for this reader. */
export function presentBelow(
  core: Core,
  directory: number,
  ino: number,
  reader: Reader,
): Tagged | undefined {
  const found = taggedFile(core, directory, ino, reader, WALK)
  const isClosed =
    found !== undefined &&
    isRegular(found.inode.mode) &&
    !mayNow(core, reader, found.inode, MAY_READ)
  return isClosed ? undefined : found
}

/**
 * The last state of what was below a directory and is gone; undefined where it was not, or not for this reader. `parent`: the
 * directory of the name that it had, its last unless told.
 */
export function goneBelow(
  core: Core,
  directory: number,
  ino: number,
  reader: Reader,
  parent?: number,
): InodePastRow | undefined {
  const range = { gte: [ino], lt: [ino + 1], reverse: true, limit: 1 } as const
  const [row] = core.overlay.scan(inodePast, range)
  if (row === undefined || isDirectory(row.mode)) return undefined
  const isCircle = circleCheck()
  for (let at = parent ?? row.parent; at !== directory; ) {
    const above = inodeAt(core, at, row.until - 1) ?? laterState(core, at)
    if (above === undefined || above.parent === at || isCircle(at)) return undefined
    if (!mightDo(core, at, row.until - 1, reader, WALK)) return undefined
    at = above.parent
  }
  return row
}

/** Where a directory is or was last: its state of then may be pruned. */
function laterState(core: Core, ino: number): Pick<InodeRow, 'parent'> | undefined {
  const present = findInode(core, ino)
  if (present !== undefined && present.nlink > 0) return present
  return core.overlay.scan(inodePast, { gte: [ino], lt: [ino + 1], reverse: true, limit: 1 })[0]
}

/** Whether the reader might do that with an inode at a moment, and still may where it is there. */
export function mightDo(
  core: Core,
  ino: number,
  moment: Moment,
  reader: Reader,
  wanted: number,
): boolean {
  if (reader.uid === 0) return true
  const then = inodeAt(core, ino, moment)
  const acl = xattrsAt(core, ino, moment).get(ACL_ACCESS)
  if (then === undefined || !may(reader, then, acl, wanted)) return false
  const now = findInode(core, ino)
  return now === undefined || now.nlink === 0 || mayNow(core, reader, now, wanted)
}
