// What directories and files of the past have in common: the tree that they are in, and what
// stat(2) and getxattr(2) tell.

import { ENOENT, fail } from '../../base/errno.ts'
import { isDirectory } from '../../base/mode.ts'
import type { InodeRow } from '../../store/collections.ts'
import type { Moment } from '../../vault/core/moment.ts'
import { inodeAt, xattrsAt } from '../../vault/history/timeline.ts'
import { CAPABILITY } from '../../vault/tree/xattrs.ts'
import type { Node } from '../operations.ts'
import { pastAttributes } from './attributes.ts'
import { numbersOf, type View, type ViewContext } from './view.ts'

const nothing: ReadonlyMap<string, Uint8Array> = new Map()

/** One way into the past: a view and the moment that it leads to. */
export interface PastTree {
  readonly key: string
  readonly moment: Moment
  /** The directory of the vault below whose .avfs it is. */
  readonly directory: number
  /**
   * The inode at the top, and how long the kernel may keep the name that leads to it; undefined: no
   * limit.
   */
  readonly root: number
  readonly nameMs: number | undefined
  /** When the top was deleted, shown as its ctime. */
  readonly until: Moment | undefined
  readonly number: (ino: number) => number
}

/** A node of a tree. */
export interface PastView extends View {
  readonly tree: PastTree
  /** Whether the kernel may keep the name that leads here, other than to the top. */
  readonly isCacheable: boolean
}

/** The tree below the view that `key` names. */
export function createPastTree(
  key: string,
  from: {
    moment: Moment
    directory: number
    root: number
    nameMs?: number | undefined
    until?: Moment
  },
): PastTree {
  return { key, ...from, nameMs: from.nameMs, until: from.until, number: numbersOf(key) }
}

/** The row that a node shows. Throws ENOENT when history does not reach back so far any more. */
export function rowOf({ fs }: ViewContext, { tree, ino }: PastView): InodeRow {
  return inodeAt(fs.core, ino, tree.moment) ?? fail(ENOENT)
}

export function attributesOf(context: ViewContext, view: PastView): Node {
  const { tree, ino, number, isCacheable } = view
  const node = pastAttributes(rowOf(context, view), number)
  // A file may have other names, which are not known here and whose directories may close.
  const isOneName = !context.fs.shared || node.nlink < 2 || isDirectory(node.mode)
  if (ino !== tree.root) return isCacheable && isOneName ? node : { ...node, nameMs: 0 }
  const { nameMs, until } = tree
  if (until === undefined) return { ...node, nameMs }
  const wall = context.fs.core.moments.wallOf(until)
  const ctime = Math.floor(wall / 1e6)
  return { ...node, nameMs, ctime, ctimeNs: (wall - ctime * 1e6) * 1000 }
}

/**
 * The extended attributes that the inode had, without capabilities. `ls -l` asks every file for
 * some, and nearly none has any.
 */
export function xattrsOf(context: ViewContext, view: PastView): ReadonlyMap<string, Uint8Array> {
  const { xattrs, tags } = rowOf(context, view)
  if (xattrs + tags === 0) return nothing
  const found = xattrsAt(context.fs.core, view.ino, view.tree.moment)
  found.delete(CAPABILITY)
  return found
}
