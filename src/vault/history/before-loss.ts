// What a command takes away or replaces is history first, whole, however young it is and wherever
// it lies: nobody who runs a command means to destroy. What programs do (rm, mv) is theirs, and
// follows what is configured (history-recording.ts).

import { isDirectory } from '../../base/mode.ts'
import { DELETED, type EntryRow, LOST } from '../../store/collections.ts'
import { seal } from '../content/seal.ts'
import type { Core } from '../core/core.ts'
import { dropSubdirectory, type Inode, isProvisional } from '../core/inode.ts'
import { BRIEF_MICROS } from '../core/moments.ts'
import { removeEntry } from '../tree/directory.ts'
import { withTrace } from '../tree/history-recording.ts'
import { getInode } from '../tree/inodes.ts'
import { dropName } from '../tree/names.ts'

/**
 * Makes what has been written so far a version. Stands by itself in a step, before anything is
 * changed.
 */
export function completeState(core: Core, inode: Inode): void {
  if (isProvisional(inode) && inode.nlink > 0) seal(core, inode)
}

/**
 * From here on an inode, and a name of it, are history as they are. Called before the moment at
 * which they change or go.
 */
export function observeLoss(core: Core, inode: Inode, row?: EntryRow): void {
  const { barrier } = core.moments
  // Not every time: a directory leaves a row of the past for each.
  if (Math.max(inode.since, inode.born, row?.since ?? 0) > barrier) core.moments.observe()
}

/**
 * Takes a name from an inode whose state is complete; `isHeld`: somebody may use it without one.
 * All that is read was read.
 */
export function removeKept(core: Core, row: EntryRow, inode: Inode, isHeld: boolean): void {
  const { parent, name, since } = row
  const directory = getInode(core, parent)
  observeLoss(core, inode, row)
  const moment = core.moments.next()
  // One that is so young that it would pass for a temporary name is lost, and shows.
  const fate = moment - since < BRIEF_MICROS ? LOST : DELETED
  withTrace(core, () => {
    removeEntry(core, directory, row, moment, fate)
    if (isDirectory(inode.mode)) dropSubdirectory(directory)
    dropName(core, inode, parent, name, moment, isHeld, false)
  })
}
