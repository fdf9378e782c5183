// Makes a past inode present again under its number, with all that belongs to the number: extended
// attributes, labels, the history of a directory's names.

import { inodePast, inode as inodes } from '../../store/collections.ts'
import type { Core } from '../core/core.ts'
import { type Inode, toInode } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import { assertWritable, findInode } from '../tree/inodes.ts'

/**
 * Revives a directory in its last state, empty and without a name. Undefined when it still exists,
 * is in use without a name, or nothing is known of it.
 */
export function reviveInode(core: Core, ino: number, moment: Moment): Inode | undefined {
  assertWritable(core)
  if (findInode(core, ino) !== undefined) return undefined
  const range = { gte: [ino], lt: [ino + 1], reverse: true, limit: 1 }
  const [last] = core.overlay.scan(inodePast, range)
  if (last === undefined) return undefined
  const made = toInode(
    { ...last, nlink: 0, size: 0, actor: core.actors.current, since: moment },
    false,
  )
  core.inodes.set(ino, made)
  core.inodeCount++
  core.usage.add(made.uid, made.allocated, 1)
  core.overlay.put(inodes, made)
  return made
}
