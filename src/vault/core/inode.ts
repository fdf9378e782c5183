// An inode in memory: its row, and what is kept beside it while it is in use.

import {
  type ExtentRow,
  type InodePastRow,
  type InodeRow,
  PROVISIONAL,
  type XattrRow,
} from '../../store/collections.ts'
import type { BufferedWrite } from './write-buffer.ts'

/**
 * What happened to the content since it was last sealed. A bare truncation is sealed late, since
 * writes usually follow it.
 */
export const UNCHANGED = 0
export const TRUNCATED = 1
export const WRITTEN = 2

/** Link count of a directory without subdirectories: its name, and its dot entry. */
const NLINK_EMPTY = 2

/** Keys of one inode's provisional rows, so that sealing and dropping need no scan. */
export interface Journal {
  /** The row that history shows meanwhile (until PROVISIONAL); undefined for a new inode. */
  readonly before: InodePastRow | undefined
  /** Offsets of current extents with since PROVISIONAL. */
  readonly current: Set<number>
  /** [offset, since] of past extents with until PROVISIONAL. */
  readonly past: [number, number][]
}

/**
 * What is known of reads of a file, some of which the kernel serves from its cache; see
 * src/fs/atime.ts.
 */
export interface Reads {
  /** atime was set by a program, and there was no read since. */
  isAtimeSet: boolean
  /** The kernel may hold bytes that it would serve a read from. */
  mayBeCached: boolean
  /** The process whose next close(2) ends no read; 0: none. */
  quietPid: number
  /** Offset of a kernel read that may only have filled a page before a partial write. */
  doubtfulAt: number | undefined
}

/** An inode in memory; its fields from InodeRow are the current row. */
export interface Inode extends InodeRow {
  /** Bytes written but not yet turned into extents, by chunk. */
  writeBuffer: Map<number, BufferedWrite[]> | undefined
  /** Bytes of `writeBuffer` that no extent covers yet; see usage.ts. */
  reserved: number
  /** Current extents by chunk, as far as they are loaded; sorted by offset. */
  chunks: Map<number, ExtentRow[]>
  /** Windows of chunks that `chunks` is complete for; undefined: complete for all. */
  windows: Set<number> | undefined
  journal: Journal | undefined
  change: number
  /** When the content was last changed, and when the inode became provisional; ms of `steadyMs`. */
  changedAtMs: number
  openedAtMs: number
  /** The moment of creation, 0 when loaded from the store. */
  born: number
  /** The moment when it was last moved away from a name that was not temporary; 0 when unknown. */
  movedAt: number
  xattrMap: Map<string, XattrRow> | undefined
  reads: Reads | undefined
}

/** The inode in memory for a row; `fresh`: it has nothing in the store yet. */
export function toInode(row: InodeRow, fresh: boolean): Inode {
  return {
    ino: row.ino,
    mode: row.mode,
    nlink: row.nlink,
    uid: row.uid,
    gid: row.gid,
    rdev: row.rdev,
    size: row.size,
    allocated: row.allocated,
    parent: row.parent,
    name: row.name,
    xattrs: row.xattrs,
    tags: row.tags,
    versions: row.versions,
    atime: row.atime,
    atimeNs: row.atimeNs,
    mtime: row.mtime,
    mtimeNs: row.mtimeNs,
    ctime: row.ctime,
    ctimeNs: row.ctimeNs,
    btime: row.btime,
    btimeNs: row.btimeNs,
    actor: row.actor,
    since: row.since,
    writeBuffer: undefined,
    reserved: 0,
    chunks: new Map(),
    windows: fresh ? undefined : new Set(),
    journal: undefined,
    change: UNCHANGED,
    changedAtMs: 0,
    openedAtMs: 0,
    born: fresh ? row.since : 0,
    movedAt: 0,
    xattrMap: fresh || row.xattrs === 0 ? new Map() : undefined,
    reads: undefined,
  }
}

/**
 * Counts one subdirectory less, never below the count of an empty directory: the count in a forged
 * vault may be too low.
 */
export function dropSubdirectory(directory: Inode): void {
  directory.nlink = Math.max(NLINK_EMPTY, directory.nlink - 1)
}

/** A copy of the row alone, as it is now. */
export function toRow(inode: Inode): InodeRow {
  return {
    ino: inode.ino,
    mode: inode.mode,
    nlink: inode.nlink,
    uid: inode.uid,
    gid: inode.gid,
    rdev: inode.rdev,
    size: inode.size,
    allocated: inode.allocated,
    parent: inode.parent,
    name: inode.name,
    xattrs: inode.xattrs,
    tags: inode.tags,
    versions: inode.versions,
    atime: inode.atime,
    atimeNs: inode.atimeNs,
    mtime: inode.mtime,
    mtimeNs: inode.mtimeNs,
    ctime: inode.ctime,
    ctimeNs: inode.ctimeNs,
    btime: inode.btime,
    btimeNs: inode.btimeNs,
    actor: inode.actor,
    since: inode.since,
  }
}

/** True while the inode has changes that are not sealed. */
export function isProvisional(inode: Inode): boolean {
  return inode.since === PROVISIONAL
}

/** Approximate memory of an inode in bytes, for the cache's budget. */
export function costOf(inode: Inode): number {
  let bytes = 600
  for (const extents of inode.chunks.values())
    for (const extent of extents) bytes += 160 + (extent.data?.length ?? 0)
  return bytes
}

/** A journal with nothing in it. */
export function newJournal(before: InodePastRow | undefined): Journal {
  return { before, current: new Set(), past: [] }
}

/** The inode number of the root directory. */
export const ROOT_INO = 1
