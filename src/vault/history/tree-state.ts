// One interface to a tree, as it is or as it was at a moment. The present includes what is written
// but not yet closed, as programs see it in a mount; the past is read through timeline.ts. Reads
// only.

import { ENXIO, FsError } from '../../base/errno.ts'
import type { Collection } from '../../store/collection.ts'
import {
  type EntryRow,
  type ExtentPastRow,
  type ExtentRow,
  entry,
  extent,
  extentPast,
  type InodeRow,
} from '../../store/collections.ts'
import { readContent } from '../content/content.ts'
import { seekContent } from '../content/seek.ts'
import type { Core } from '../core/core.ts'
import { type Inode, toRow } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import { getXattr, listXattrs, tagsOf } from '../tree/attached.ts'
import { findInode } from '../tree/inodes.ts'
import { tagsAt, toXdgTags, XDG_TAGS } from '../tree/tags.ts'
import { entriesAt, inodeAt, readAt, xattrsAt } from './timeline.ts'

export interface TreeState {
  /** A copy of the inode's row; undefined when it has none, or no name. */
  inode(ino: number): InodeRow | undefined
  /**
   * Entries of a directory in byte order of their names, at most `limit` after the name `after`.
   */
  entries(parent: number, after: string | undefined, limit: number): readonly EntryRow[]
  /**
   * The bytes of [offset, offset + size), up to the end of the file; views, valid until the next
   * change. Throws EIO.
   */
  read(row: InodeRow, offset: number, size: number): readonly Uint8Array[]
  /**
   * A lower bound for the next data at or after `offset`, a multiple of CHUNK_BYTES: the file has
   * only zeros up to there. Infinity: up to its end.
   */
  dataFrom(row: InodeRow, offset: number): number
  /** In byte order. */
  tags(row: InodeRow): readonly string[]
  /** Includes labels (user.xdg.tags). */
  xattrs(row: InodeRow): ReadonlyMap<string, Uint8Array>
}

/** The present tree. */
export function stateNow(core: Core): TreeState {
  return {
    inode(ino) {
      const inode = findInode(core, ino)
      return inode === undefined || inode.nlink === 0 ? undefined : toRow(inode)
    },
    entries: (parent, after, limit) =>
      core.overlay.scan(entry, {
        gte: [parent, after === undefined ? '' : `${after}\0`],
        lt: [parent + 1],
        limit,
      }),
    read(row, offset, size) {
      const inode = findInode(core, row.ino)
      return inode === undefined ? [] : readContent(core, inode, offset, size)
    },
    dataFrom(row, offset) {
      const inode = findInode(core, row.ino)
      return inode === undefined ? Number.POSITIVE_INFINITY : dataNow(core, inode, offset)
    },
    tags: (row) => tagsOf(core, row.ino),
    xattrs: (row) => xattrsNow(core, row.ino),
  }
}

/** The tree as of a moment. */
export function stateAt(core: Core, moment: Moment): TreeState {
  return {
    inode(ino) {
      const row = inodeAt(core, ino, moment)
      return row === undefined ? undefined : { ...row }
    },
    entries: (parent, after, limit) => entriesAt(core, parent, moment, after, limit),
    read: (row, offset, size) => readAt(core, row, moment, offset, size),
    dataFrom: ({ ino }, offset) =>
      Math.min(...[extent, extentPast].map((rows) => extentFrom(core, rows, ino, offset))),
    tags: (row) => tagsAt(core, row.ino, moment),
    xattrs: (row) => xattrsAt(core, row.ino, moment),
  }
}

function dataNow(core: Core, inode: Inode, offset: number): number {
  try {
    return seekContent(core, inode, offset, true)
  } catch (error) {
    if (error instanceof FsError && error.errno === ENXIO) return Number.POSITIVE_INFINITY
    throw error
  }
}

/** Offset of the next extent, whenever it existed. */
function extentFrom(
  core: Core,
  rows: Collection<ExtentRow> | Collection<ExtentPastRow>,
  ino: number,
  offset: number,
): number {
  const range = { gte: [ino, offset], lt: [ino + 1], limit: 1 }
  const [next] = core.overlay.scan(rows as Collection<ExtentRow>, range)
  return next?.offset ?? Number.POSITIVE_INFINITY
}

function xattrsNow(core: Core, ino: number): Map<string, Uint8Array> {
  const inode = findInode(core, ino)
  const found = new Map<string, Uint8Array>()
  if (inode === undefined) return found
  for (const name of listXattrs(core, inode))
    found.set(name, getXattr(core, inode, name) ?? new Uint8Array())
  const tags = tagsOf(core, ino)
  if (tags.length > 0) found.set(XDG_TAGS, toXdgTags(tags))
  return found
}
