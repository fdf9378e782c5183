// Makes what a command removes or replaces part of history first, complete, however young it is and
// wherever it lies: nobody who runs an avfs command means to destroy data. Changes by programs (rm,
// mv) follow the settings (history-recording.ts).

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
 * Seals what has been written so far as a version. May restart the step, so call it before the step
 * changes anything else.
 */
export function completeState(core: Core, inode: Inode): void {
  if (isProvisional(inode) && inode.nlink > 0) seal(core, inode)
}

/**
 * Makes the present state of an inode, and one of its names, part of history. Called before the
 * moment at which they change or are removed.
 */
export function observeLoss(core: Core, inode: Inode, row?: EntryRow): void {
  const { barrier } = core.moments
  // Only if needed: each observed change of a directory leaves a past row.
  if (Math.max(inode.since, inode.born, row?.since ?? 0) > barrier) core.moments.observe()
}

/**
 * Removes a name from an inode whose state is complete. `isHeld`: the inode may be in use without a
 * name. Everything it reads must be prefetched.
 */
export function removeKept(core: Core, row: EntryRow, inode: Inode, isHeld: boolean): void {
  const { parent, name, since } = row
  const directory = getInode(core, parent)
  observeLoss(core, inode, row)
  const moment = core.moments.next()
  // A name young enough to pass for a temporary one gets fate LOST, which shows it in history.
  const fate = moment - since < BRIEF_MICROS ? LOST : DELETED
  withTrace(core, () => {
    removeEntry(core, directory, row, moment, fate)
    if (isDirectory(inode.mode)) dropSubdirectory(directory)
    dropName(core, inode, parent, name, moment, isHeld, false)
  })
}
