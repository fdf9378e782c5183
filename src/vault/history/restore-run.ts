// What the steps of one restore share: its options, its progress, and names.

import { ENOENT, ENOTDIR, fail } from '../../base/errno.ts'
import { isDirectory } from '../../base/mode.ts'
import type { Actor } from '../core/actors.ts'
import type { Core } from '../core/core.ts'
import type { MeetingCheck } from '../core/cycles.ts'
import type { Heard } from '../core/effect.ts'
import type { Inode } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import type { Observer } from '../core/observer.ts'
import type { Slices } from '../core/time-slices.ts'
import { getInode } from '../tree/inodes.ts'
import { pathOf } from '../tree/names.ts'
import { below } from '../tree/places.ts'
import type { Restorer } from './restore-attributes.ts'

export interface RestoreOptions extends Observer {
  /** Also remove what a directory did not contain then. */
  readonly removeNewer: boolean
  /**
   * Act as rename(2): whatever is at the name is replaced (a directory only if it is empty) and
   * loses only this name. So the present file is never updated in place.
   */
  readonly isRename?: boolean
  /** Who asks for it; default: the owner of the vault. */
  readonly by?: Restorer
  /** Also restore names that lived for less than a second, because one of them was asked for. */
  readonly passing?: boolean
  readonly heard: Heard
}

/**
 * How many names were restored, already the same, removed, or left in place because they have no
 * history.
 */
export interface RestoreReport {
  restored: number
  unchanged: number
  removed: number
  kept: number
}

/** A name in a directory, and its path. The name '' means the directory itself. */
export interface Spot {
  readonly parent: number
  readonly name: string
  readonly path: string
}

export interface Run {
  readonly core: Core
  /** Who restores; set again after each pause, when others may have acted. */
  readonly actor: Actor | null
  readonly moment: Moment
  readonly options: RestoreOptions
  readonly slices: Slices
  readonly report: RestoreReport
  /**
   * The present file for each past inode number, for files with several names. The past link count
   * cannot tell: a name exists at once, but the row that counts it only when the file is sealed.
   */
  readonly links: Map<number, number>
  /** Present files already matched with a past one, so that two files then stay two files. */
  readonly taken: Set<number>
  /** For the directories of the past tree. */
  readonly isNew: MeetingCheck
}

/** A directory that has a name. Throws ENOENT, ENOTDIR. */
export function getDirectory(core: Core, ino: number): Inode {
  const inode = getInode(core, ino)
  if (!isDirectory(inode.mode)) fail(ENOTDIR)
  if (inode.nlink === 0) fail(ENOENT)
  return inode
}

/** The Spot of a name in the directory at `spot`. */
export function spotBelow(spot: Spot, parent: number, name: string): Spot {
  return { parent, name, path: below(spot.path, name) as string }
}

/** The Spot of a name in a present directory. */
export function spotIn(core: Core, parent: number, name: string): Spot {
  const path = pathOf(core, parent) ?? '/'
  return { parent, name, path: name === '' ? path : (below(path, name) as string) }
}
