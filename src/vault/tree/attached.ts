// Extended attributes and labels of an inode, loaded on first use.

import { XATTR_LIST_BYTES_MAX } from '../../base/limits.ts'
import { type TaggingRow, tagging, type XattrRow, xattr } from '../../store/collections.ts'
import { ALL } from '../../store/store.ts'
import type { Core } from '../core/core.ts'
import type { Inode } from '../core/inode.ts'
import { findInode } from './inodes.ts'

/** The extended attributes of an inode by name, loaded on first use. The map is live. */
export function attributesOf(core: Core, inode: Inode): Map<string, XattrRow> {
  if (inode.xattrMap === undefined) {
    const rows = core.overlay.scan(xattr, {
      gte: [inode.ino],
      lt: [inode.ino + 1],
      limit: XATTR_LIST_BYTES_MAX,
    })
    inode.xattrMap = new Map(rows.map((row) => [row.name, row]))
  }
  return inode.xattrMap
}

/** The value of an extended attribute; undefined when there is none of that name. */
export function getXattr(core: Core, inode: Inode, name: string): Uint8Array | undefined {
  if (inode.xattrs === 0) return undefined
  return attributesOf(core, inode).get(name)?.value ?? undefined
}

/** The names of all extended attributes of an inode. */
export function listXattrs(core: Core, inode: Inode): string[] {
  return inode.xattrs === 0 ? [] : [...attributesOf(core, inode).keys()]
}

/** The label rows of an inode, in byte order of the labels. */
export function rowsOf(core: Core, ino: number): TaggingRow[] {
  return core.overlay.scan(tagging, { gte: [ino], lt: [ino + 1], limit: ALL })
}

/** The labels of an inode now, in byte order. */
export function tagsOf(core: Core, ino: number): string[] {
  const inode = findInode(core, ino)
  return inode === undefined || inode.tags === 0 ? [] : rowsOf(core, ino).map((row) => row.tag)
}
