// What a command takes away or replaces is history first, whole, however young it is and wherever it lies: nobody who runs a
// command means to destroy. What programs do (rm, mv) is theirs, and follows what is configured (history.ts).

import type { EntryRow, Fate } from '../store/collections.ts'
import { DELETED, LOST } from '../store/collections.ts'
import type { Core } from './core.ts'
import { type Inode, isProvisional } from './inode.ts'
import { BRIEF_MICROS, type Moment } from './moments.ts'
import { seal } from './versions.ts'

/** Makes what has been written so far a version. Stands by itself in a step, before anything is changed. */
export function completeState(core: Core, inode: Inode): void {
  if (isProvisional(inode) && inode.nlink > 0) seal(core, inode)
}

/** From here on an inode, and a name of it, are history as they are. Called before the moment at which they change or go. */
export function observeLoss(core: Core, inode: Inode, row?: EntryRow): void {
  const { barrier } = core.moments
  // Not every time: a directory leaves a row of the past for each.
  if (Math.max(inode.since, inode.born, row?.since ?? 0) > barrier) core.moments.observe()
}

/** What ends a name: one that is so young that it would pass for a temporary one is lost, and shows. */
export function fateOfLoss(row: EntryRow, moment: Moment): Fate {
  return moment - row.since < BRIEF_MICROS ? LOST : DELETED
}
