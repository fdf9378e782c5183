// The names of an inode, by its number. The first one is in the inode's own row, so that a file
// costs no further row; those of hard links have rows of their own. Called by whatever adds,
// removes or moves a directory entry, after the inode was altered.

import { LINK_COUNT_MAX } from '../../base/limits.ts'
import { isDirectory } from '../../base/mode.ts'
import { hardlink } from '../../store/collections.ts'
import type { Core } from '../core/core.ts'
import { cycleCheck } from '../core/cycles.ts'
import { type Inode, ROOT_INO } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import { dropLink, findInode } from './inodes.ts'

/** Adds a name; the link count already includes it. */
export function giveName(core: Core, inode: Inode, parent: number, name: string): void {
  if (inode.nlink > 1 && !isDirectory(inode.mode))
    core.overlay.put(hardlink, { ino: inode.ino, parent, name })
  else {
    inode.parent = parent
    inode.name = name
  }
}

/** All names of an inode, the first one first; none if it has lost them. */
export function namesOfInode(core: Core, inode: Inode): { parent: number; name: string }[] {
  if (inode.nlink === 0 || inode.name === '') return []
  const { ino, parent, name } = inode
  if (inode.nlink === 1 || isDirectory(inode.mode)) return [{ parent, name }]
  const range = { gte: [ino], lt: [ino + 1], limit: LINK_COUNT_MAX }
  return [{ parent, name }, ...core.overlay.scan(hardlink, range)]
}

/** Removes a name; with the last one the inode ends (see `dropLink`). */
export function dropName(
  core: Core,
  inode: Inode,
  parent: number,
  name: string,
  moment: Moment,
  used: boolean,
  traceless: boolean,
): void {
  dropLink(core, inode, moment, used, traceless)
  if (inode.nlink > 0) takeName(core, inode, parent, name)
}

/** Removes one of several names. */
function takeName(core: Core, inode: Inode, parent: number, name: string): void {
  const { ino } = inode
  if (inode.parent !== parent || inode.name !== name) {
    core.overlay.delete(hardlink, [ino, parent, name])
    return
  }
  const [next] = core.overlay.scan(hardlink, { gte: [ino], lt: [ino + 1], limit: 1 })
  if (next === undefined) return
  core.overlay.delete(hardlink, [ino, next.parent, next.name])
  inode.parent = next.parent
  inode.name = next.name
}

/** Names of one inode that `placesOf` returns, besides the first. */
export const LINKS_MAX = 1000

/**
 * The names of an inode with their directories; only the first ones if there are very many hard
 * links.
 */
export function placesOf(
  core: Core,
  { ino, nlink, mode, parent, name }: Inode,
): readonly { readonly parent: number; readonly name: string }[] {
  if (nlink < 2 || isDirectory(mode)) return [{ parent, name }]
  const others = core.overlay.scan(hardlink, { gte: [ino], lt: [ino + 1], limit: LINKS_MAX })
  return [{ parent, name }, ...others]
}

/** Renames one name of an inode. */
export function moveName(
  core: Core,
  inode: Inode,
  from: { parent: number; name: string },
  to: { parent: number; name: string },
): void {
  if (inode.parent === from.parent && inode.name === from.name) {
    inode.parent = to.parent
    inode.name = to.name
    return
  }
  const { ino } = inode
  core.overlay.delete(hardlink, [ino, from.parent, from.name])
  core.overlay.put(hardlink, { ino, parent: to.parent, name: to.name })
}

/**
 * The path of an inode from the vault's root, as a byte string ('/' for the root); undefined when
 * it has no name.
 */
export function pathOf(core: Core, ino: number): string | undefined {
  const names: string[] = []
  const isCircle = cycleCheck()
  for (let at = ino; at !== ROOT_INO; ) {
    const inode = findInode(core, at)
    if (inode === undefined || inode.nlink === 0 || isCircle(at)) return undefined
    names.push(inode.name)
    at = inode.parent
  }
  return `/${names.reverse().join('/')}`
}
