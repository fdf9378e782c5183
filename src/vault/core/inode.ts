// An inode as it lives in memory: its row, and what is kept beside it while it is in use.

import {
  type ExtentRow,
  type InodePastRow,
  type InodeRow,
  PROVISIONAL,
  type XattrRow,
} from '../../store/collections.ts'
import type { BufferedWrite } from './write-buffer.ts'

/**
 * What happened to the content since it was last sealed. A bare truncation is sealed late: more
 * follows as a rule.
 */
export const UNCHANGED = 0
export const TRUNCATED = 1
export const WRITTEN = 2

/** Links of a directory without directories: its name, and its dot. */
const NLINK_EMPTY = 2

/** Keys of the provisional rows of one inode, so that sealing and dropping need no scan. */
export interface Journal {
  /**
   * The row that history shows meanwhile (until PROVISIONAL); undefined: none, the inode is new.
   */
  readonly before: InodePastRow | undefined
  /** Offsets of current extents with since PROVISIONAL. */
  readonly current: Set<number>
  /** [offset, since] of past extents with until PROVISIONAL. */
  readonly past: [number, number][]
}

/**
 * What is known of the reads of a file, of which the kernel's cache may keep some from us; see
 * src/fs/atime.ts.
 */
export interface Reads {
  /** atime is what a program set, and nobody has read since. */
  isAtimeSet: boolean
  /** The kernel may hold bytes that a read would be served from. */
  mayBeCached: boolean
  /** The process whose next close(2) ends no read; 0: none. */
  quietPid: number
  /** Where the kernel read what may have been for no process. */
  doubtfulAt: number | undefined
}

export interface Inode extends InodeRow {
  /** Bytes written and not yet turned into extents, by chunk. */
  writeBuffer: Map<number, BufferedWrite[]> | undefined
  /** Bytes of `pages` that no extent covers so far; see usage.ts. */
  reserved: number
  /** Current extents by chunk, as far as loaded; sorted by offset. */
  chunks: Map<number, ExtentRow[]>
  /** Windows of chunks that `chunks` is complete for; undefined: complete for all. */
  windows: Set<number> | undefined
  journal: Journal | undefined
  change: number
  /** When the content was last changed, and when it became provisional; ms of `steadyMs`. */
  changedAtMs: number
  openedAtMs: number
  /** The moment of creation, 0 when loaded from the store. */
  born: number
  /**
   * The moment at which it was last moved away from a name that was no temporary one; 0 when that
   * is not known.
   */
  movedAt: number
  xattrMap: Map<string, XattrRow> | undefined
  reads: Reads | undefined
}

/** Makes the live object of a row; `fresh`: it has nothing in the store yet. */
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
 * A directory has one less in it. A vault may come from anybody and count less than is there:
 * nothing is counted below nothing.
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

/** Rough bytes of memory that an inode takes, for the cache's budget. */
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

export const ROOT_INO = 1
