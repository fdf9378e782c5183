// What the steps of one restore share: what is wanted, what was done, and where.

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
  /** Also remove what a directory did not hold then. */
  readonly removeNewer: boolean
  /**
   * As rename(2) does it: what is at the name is replaced whatever it is, a directory if it is
   * empty, and loses this name alone. So nothing of it is changed or kept.
   */
  readonly isRename?: boolean
  /** Who asks for it; whoever holds the vault, if not told. */
  readonly by?: Restorer
  /** Also bring back names that lived for less than a second: what is wanted is one of them. */
  readonly passing?: boolean
  readonly heard: Heard
}

/**
 * How many names were brought back, were the same already, were removed, and stayed because no
 * history of them is kept.
 */
export interface RestoreReport {
  restored: number
  unchanged: number
  removed: number
  kept: number
}

/** A name in a directory, and its path. The name '' stands for the directory itself. */
export interface Spot {
  readonly parent: number
  readonly name: string
  readonly path: string
}

export interface Run {
  readonly core: Core
  /** Who brings it back: others act in between. */
  readonly actor: Actor | null
  readonly moment: Moment
  readonly options: RestoreOptions
  readonly slices: Slices
  readonly report: RestoreReport
  /**
   * Files of now by their number of then, for those with several names. Their link count does not
   * tell: a name counts at once, the row that counts it when the file is sealed.
   */
  readonly links: Map<number, number>
  /** Files of now that are one of then already: what were two then are two again. */
  readonly taken: Set<number>
  /** Of the directories of then. */
  readonly isNew: MeetingCheck
}

export function getDirectory(core: Core, ino: number): Inode {
  const inode = getInode(core, ino)
  if (!isDirectory(inode.mode)) fail(ENOTDIR)
  if (inode.nlink === 0) fail(ENOENT)
  return inode
}

/** A name in the directory that another one leads to. */
export function spotBelow(spot: Spot, parent: number, name: string): Spot {
  return { parent, name, path: below(spot.path, name) as string }
}

/** A name in a directory of now. */
export function spotIn(core: Core, parent: number, name: string): Spot {
  const path = pathOf(core, parent) ?? '/'
  return { parent, name, path: name === '' ? path : (below(path, name) as string) }
}
