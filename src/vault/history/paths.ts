// Resolves paths: now, at a moment, or in directories that no longer exist. Paths are byte strings
// that begin with '/'. Symbolic links are not followed, because the target of an old link may be
// anything today.

import { DT_DIR, isDirectory } from '../../base/mode.ts'
import { entryPast, type InodeRow } from '../../store/collections.ts'
import type { Core } from '../core/core.ts'
import { type Inode, ROOT_INO } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import { findEntry } from '../tree/directory.ts'
import { findInode } from '../tree/inodes.ts'
import { entryAt, inodeAt } from './timeline.ts'

/** A name in a directory, whether or not it exists now; the root is the name '' in itself. */
export interface Spot {
  readonly parent: number
  readonly name: string
}

/**
 * Limit of forks in one path: on each level, several directories may have had the name. Beyond it,
 * only the present or latest one is tried.
 */
const LOOKS_MAX = 1000
/** Former inodes of a name that are searched for directories. */
const FORMER_MAX = 1000

/** The names in a path, from the root down. */
export function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.')
}

/** The inode at a path now. */
export function findPath(core: Core, path: string): Inode | undefined {
  let ino = ROOT_INO
  for (const name of namesOf(path)) {
    const row = findEntry(core, ino, name)
    if (row === undefined) return undefined
    ino = row.ino
  }
  return findInode(core, ino)
}

/** The inode at a path as of a moment, with its state then. */
export function findPathAt(core: Core, path: string, moment: Moment): InodeRow | undefined {
  let ino = ROOT_INO
  for (const name of namesOf(path)) {
    const row = entryAt(core, ino, name, moment)
    if (row === undefined) return undefined
    ino = row.ino
  }
  return inodeAt(core, ino, moment)
}

/**
 * The places of a path, in every directory that its parent path ever led to: the present one first,
 * then the latest.
 */
export function* spotsOf(core: Core, path: string): Generator<Spot, undefined> {
  const names = namesOf(path)
  const name = names.pop()
  if (name === undefined) yield { parent: ROOT_INO, name: '' }
  else for (const parent of directoriesOf(core, ROOT_INO, names)) yield { parent, name }
  return undefined
}

/** Depth first, without recursion: a path may be deeper than the stack. */
function* directoriesOf(core: Core, top: number, names: readonly string[]): Generator<number> {
  let looks = LOOKS_MAX
  /** For each level, the directories still to be tried, in reverse order. */
  const levels = [[top]]
  while (levels.length > 0) {
    const ino = levels[levels.length - 1]?.pop()
    const name = names[levels.length - 1]
    if (ino === undefined) levels.pop()
    else if (name === undefined) yield ino
    else {
      const found = [...directoriesAt(core, ino, name)].reverse()
      // Only forks count against the limit, not the depth of the path.
      if (found.length > 1 && looks-- <= 0) found.splice(0, found.length - 1)
      levels.push(found)
    }
  }
}

function directoryNow(core: Core, parent: number, name: string): number | undefined {
  const row = findEntry(core, parent, name)
  const inode = row === undefined ? undefined : findInode(core, row.ino)
  return inode !== undefined && isDirectory(inode.mode) ? inode.ino : undefined
}

/** The directories that a name led to: the present one first, then the latest. */
function directoriesAt(core: Core, parent: number, name: string): Set<number> {
  const now = directoryNow(core, parent, name)
  const rows = core.overlay.scan(entryPast, {
    gte: [parent, name],
    // No name holds a NUL: this is the end of the rows of one name.
    lt: [parent, `${name}\0`],
    reverse: true,
    limit: FORMER_MAX,
  })
  const former = rows.filter(({ type }) => type === DT_DIR).map(({ ino }) => ino)
  return new Set(now === undefined ? former : [now, ...former])
}

/** The directory that a path led to last, if there ever was one. */
export function formerDirectory(core: Core, path: string): number | undefined {
  const [ino] = directoriesOf(core, ROOT_INO, namesOf(path))
  return ino
}
