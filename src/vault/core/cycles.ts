// Guards for walks over the tree. In a sound vault a walk up ends at the root, and a walk down
// meets each directory once; damaged or forged rows may form a cycle, or lead to one directory by
// ever more paths.

import { ELOOP, fail } from '../../base/errno.ts'
import { log } from '../../base/log.ts'
import { isDirectory } from '../../base/mode.ts'
import type { InodeRow } from '../../store/collections.ts'

/**
 * A cycle check for one walk, to be called with each inode on it. Returns true when the walk is in
 * a cycle, at the latest on its third round (Brent's algorithm, which keeps one number instead of
 * all of them).
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

/** Where a directory's own row says that it is. */
type Home = Pick<InodeRow, 'ino' | 'parent' | 'name'>

/**
 * To be called with each directory that a walk meets and the name that led to it. Returns false
 * when the directory was met before.
 */
export type MeetingCheck = (directory: Home, parent: number, name: string) => boolean

/**
 * A check for one walk down from directory `top`. As long as every directory is met at the place
 * that its row says, nothing has to be remembered. A past state may name another place (where no
 * history is kept); from the first such one on, all directories are remembered.
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

/** Throws ELOOP for a directory that the walk has met before. For walks that change the tree. */
export function assertMeeting(
  isNew: MeetingCheck,
  directory: Home & { readonly mode: number },
  parent: number,
  name: string,
): void {
  if (isDirectory(directory.mode) && !isNew(directory, parent, name)) fail(ELOOP)
}
