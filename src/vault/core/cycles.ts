// Walks from an inode up to the root end there, and walks down meet each directory once; rows that
// are damaged, or somebody's gift, may lead in a circle instead, or by ever more ways to the same
// directory.

import { ELOOP, fail } from '../../base/errno.ts'
import { log } from '../../base/log.ts'
import { isDirectory } from '../../base/mode.ts'
import type { InodeRow } from '../../store/collections.ts'

/**
 * A check for one walk, to be told of each inode on it: true when the walk goes in a circle, at the
 * latest when it has been around three times (Brent's algorithm, which keeps one number and not all
 * of them).
 */
export function cycleCheck(): (ino: number) => boolean {
  let mark = -1
  let steps = 0
  let next = 1
  return (ino) => {
    if (ino === mark) return true
    if (++steps === next) {
      mark = ino
      next *= 2
    }
    return false
  }
}

/** Where a directory says that it is. */
type Home = Pick<InodeRow, 'ino' | 'parent' | 'name'>

/**
 * Told of each directory that a walk meets, and of the name that led to it: false when it was met
 * before.
 */
export type MeetingCheck = (directory: Home, parent: number, name: string) => boolean

/**
 * A check for one walk down from directory `top`. A directory is at the name that its row says, so
 * that nothing has to be remembered as long as all are; a state of the past may say another (where
 * no history is kept), and from the first of those on all are remembered.
 */
export function meetingCheck(top: number): MeetingCheck {
  let met: Set<number> | undefined
  let isTold = false
  const isNew: MeetingCheck = ({ ino, ...home }, parent, name) => {
    if (ino === top) return false
    if (met === undefined && home.parent === parent && home.name === name) return true
    met ??= new Set()
    if (met.has(ino)) return false
    met.add(ino)
    return true
  }
  return (directory, parent, name) => {
    if (isNew(directory, parent, name)) return true
    if (!isTold)
      log('warn', `more than one name leads to directory ${directory.ino}: run avfs vault check`)
    isTold = true
    return false
  }
}

/**
 * Throws ELOOP for a directory that the walk has met before: what changes a tree does not go on
 * with such a one.
 */
export function assertMeeting(
  isNew: MeetingCheck,
  directory: Home & { readonly mode: number },
  parent: number,
  name: string,
): void {
  if (isDirectory(directory.mode) && !isNew(directory, parent, name)) fail(ELOOP)
}
