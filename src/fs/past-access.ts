// The one rule of who is shown what of the past: a reader needs access as of then to the file and
// its directories, up to the root, and access as of now to every directory on the way that leads
// there now. The kernel checks the directories that it walks through: those to .avfs as they are,
// and below it those of the past by their permissions of then. The others are checked here: the
// directories of then above what is shown, and those of now for each directory of the past on the
// way.
//
// A directory that is gone counts as it was last. On a mount without allow_other there are no other
// users, and nothing is checked.

import type { Core } from '../vault/core/core.ts'
import { cycleCheck } from '../vault/core/cycles.ts'
import { ROOT_INO } from '../vault/core/inode.ts'
import type { Moment } from '../vault/core/moment.ts'
import { entryAt, inodeAt } from '../vault/history/timeline.ts'
import { findEntry } from '../vault/tree/directory.ts'
import { findInode } from '../vault/tree/inodes.ts'
import { isOpenToEverybody, MAY_SEARCH, may, type Reader } from './access.ts'
import type { FsContext } from './context.ts'
import { type Guard, guardNow, guardsAt, guardsEver } from './guards.ts'

type Test = (guard: Guard, wanted: number) => boolean

/** Whether the rule lets everything pass. */
export function seesAll({ shared }: FsContext, { uid }: { readonly uid: number }): boolean {
  return !shared || uid === 0
}

/**
 * Whether the reader had the access `wanted` to a directory at a moment, and could walk to it from
 * the root.
 */
export function mightAccess(
  fs: FsContext,
  reader: Reader,
  directory: number,
  moment: Moment,
  wanted: number,
): boolean {
  if (seesAll(fs, reader)) return true
  return holdsThen(fs.core, directory, moment, wanted, (guard, right) =>
    may(reader, guard, guard.acl, right),
  )
}

/** Whether the reader could walk to a directory at a moment, whatever access he had to it. */
export function mightEnter(
  fs: FsContext,
  reader: Reader,
  directory: number,
  moment: Moment,
): boolean {
  if (seesAll(fs, reader) || directory === ROOT_INO) return true
  const guards = guardsAt(fs.core, directory, moment)
  return guards.every(({ parent }) => mightAccess(fs, reader, parent, moment, MAY_SEARCH))
}

/**
 * Whether everybody could list and enter it and all above at a moment: then the kernel may cache
 * what it is shown of that.
 */
export function wasOpen(fs: FsContext, directory: number, moment: Moment): boolean {
  return !fs.shared || holdsThen(fs.core, directory, moment, MAY_SEARCH, isOpenToEverybody)
}

/** The same at all times: nothing in its past is hidden from anybody. */
export function wasAlwaysOpen({ shared, core }: FsContext, directory: number): boolean {
  if (!shared) return true
  const isCircle = cycleCheck()
  for (let ino = directory; ; ) {
    const guards = guardsEver(core, ino)
    const { parent } = guards[0] ?? {}
    const isSame = guards.every((guard) => isOpenToEverybody(guard) && guard.parent === parent)
    if (!isSame || parent === undefined) return false
    if (ino === ROOT_INO) return true
    if (isCircle(ino)) return false
    ino = parent
  }
}

/**
 * Whether the reader has the access `wanted` to a directory today, and can walk there from `top`,
 * where he is already, or from the root if it lies elsewhere today. `onTheWay` is the access needed
 * to each directory above.
 */
export function mayAccessNow(
  fs: FsContext,
  reader: Reader,
  directory: number,
  top: number,
  wanted: number,
  onTheWay = MAY_SEARCH,
): boolean {
  if (seesAll(fs, reader)) return true
  const isCircle = cycleCheck()
  let right = wanted
  for (let ino = directory; ; ) {
    const guard = guardNow(fs.core, ino)
    if (guard === undefined || !may(reader, guard, guard.acl, right)) return false
    if (ino === top || ino === ROOT_INO) return true
    if (isCircle(ino)) return false
    ino = guard.parent
    right = onTheWay
  }
}

/**
 * Where a file was at a moment: in `directory` if it had `name` there, as it may have several;
 * undefined if nobody knows.
 */
export function directoryThen(
  core: Core,
  ino: number,
  moment: Moment,
  directory: number,
  name: string,
): number | undefined {
  const isThere = entryAt(core, directory, name, moment, true)?.ino === ino
  return isThere ? directory : inodeAt(core, ino, moment)?.parent
}

/**
 * Whether a state of a file is that of now, and the directory has it under that name: then today's
 * rights are those of then.
 */
export function isPresent(
  core: Core,
  ino: number,
  moment: Moment,
  directory: number,
  name: string,
): boolean {
  const inode = findInode(core, ino)
  return (
    inode !== undefined &&
    inode.nlink > 0 &&
    inode.since <= moment &&
    findEntry(core, directory, name)?.ino === ino
  )
}

/** `wanted` of the directory, and search of all above. */
function holdsThen(
  core: Core,
  directory: number,
  moment: Moment,
  wanted: number,
  test: Test,
): boolean {
  const seen = new Set<number>()
  // More than one where two states might be that of the moment, and tell of two places.
  const left = [directory]
  for (let ino = left.pop(); ino !== undefined; ino = left.pop()) {
    if (seen.has(ino)) continue
    seen.add(ino)
    const guards = guardsAt(core, ino, moment)
    const right = ino === directory ? wanted : MAY_SEARCH
    if (guards.length === 0 || !guards.every((guard) => test(guard, right))) return false
    if (ino !== ROOT_INO) left.push(...guards.map(({ parent }) => parent))
  }
  return true
}
