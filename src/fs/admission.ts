// What an operation on the vault needs, asked before it has changed anything: a quota lets it grow,
// or it is EDQUOT (quota.ts), and the disk has room, or it is ENOSPC. On a disk that is nearly full
// what frees, or hardly grows, goes on for as long as there is any reserve. Any of these may throw
// a Fault, to wait for a commit or for the kernel. Nothing is asked where nothing is written.

import { EDQUOT, ENOSPC, FsError, fail } from '../base/errno.ts'
import { CHUNK_BYTES } from '../base/limits.ts'
import { copyGrowth, coveredOf, growthOf } from '../vault/content/content.ts'
import { ROW_BYTES } from '../vault/core/disk-space.ts'
import { findEntry } from '../vault/tree/directory.ts'
import { getInode } from '../vault/tree/inodes.ts'
import { type FsContext, forgetCached } from './context.ts'
import { PUNCH_HOLE, RENAME_WHITEOUT, ZERO_RANGE } from './flags.ts'
import type { AttributeChange, Caller } from './operations.ts'
import { admitFile, admitNewOwner, admitRange } from './quota.ts'

/** A new inode with a name, a few rows; `bytes` of content come with it. */
export function admitNew(fs: FsContext, caller: Caller, bytes = 0): void {
  if (fs.readOnly) return
  admitFile(fs, caller, bytes)
  fs.core.diskSpace.grow(ROW_BYTES)
}

/** The same of a name that may be there already. */
export function admitCreate(fs: FsContext, caller: Caller, parent: number, name: string): void {
  if (fs.readOnly) return
  if (findEntry(fs.core, parent, name) === undefined) admitFile(fs, caller)
  fs.core.diskSpace.grow(ROW_BYTES)
}

/** One more name, or an attribute of `bytes`. */
export function admitRows(fs: FsContext, bytes = 0): void {
  if (!fs.readOnly) fs.core.diskSpace.grow(ROW_BYTES + bytes)
}

/** Something goes. */
export function admitRemoval(fs: FsContext): void {
  if (!fs.readOnly) fs.core.diskSpace.shrink()
}

export function admitRename(fs: FsContext, caller: Caller, flags: number): void {
  if ((flags & RENAME_WHITEOUT) === 0) admitRemoval(fs)
  else admitNew(fs, caller)
}

export function admitChange(fs: FsContext, ino: number, change: AttributeChange): void {
  if (fs.readOnly) return
  const { mode, uid, gid, size } = change
  if (uid !== undefined) admitNewOwner(fs, ino, uid)
  // The times of a file come when its bytes are there: fsync must not fail for them.
  if ((mode ?? uid ?? gid ?? size) !== undefined) fs.core.diskSpace.shrink()
}

/**
 * Returns false for bytes of the kernel's cache for which a quota has no room: they are taken as if
 * they had been stored (quota.ts), and whoever writes, syncs or closes the file next hears of it.
 */
export function admitWrite(
  fs: FsContext,
  ino: number,
  offset: number,
  size: number,
  cached: boolean,
): boolean {
  if (fs.readOnly) return true
  const { core, refused } = fs
  // What follows on lost bytes is lost, too: a hole in the middle would not be seen.
  const from = refused.size === 0 ? undefined : refused.get(ino)
  try {
    if (cached && from !== undefined && offset >= from) fail(EDQUOT)
    admitRange(fs, ino, (inode) => growthOf(core, inode, offset, offset + size))
    core.diskSpace.grow(size)
    return true
  } catch (error) {
    if (!cached || !isFull(error)) throw error
    // The kernel took the bytes before it asked, and tells fsync and close what became of them.
    forgetCached(fs, ino)
    if (error.errno === ENOSPC) throw error
    refused.set(ino, Math.min(from ?? offset, offset))
    return false
  }
}

function isFull(error: unknown): error is FsError {
  return error instanceof FsError && (error.errno === EDQUOT || error.errno === ENOSPC)
}

export function admitAllocation(
  fs: FsContext,
  ino: number,
  offset: number,
  length: number,
  mode: number,
): void {
  if (fs.readOnly) return
  const { core } = fs
  if ((mode & (PUNCH_HOLE | ZERO_RANGE)) === 0)
    admitRange(fs, ino, (inode) => length - coveredOf(core, inode, offset, offset + length))
  if ((mode & PUNCH_HOLE) === 0) core.diskSpace.grow(ROW_BYTES)
  else core.diskSpace.shrink()
}

export function admitCopy(
  fs: FsContext,
  from: number,
  fromOffset: number,
  to: number,
  toOffset: number,
  length: number,
): void {
  if (fs.readOnly) return
  const { core } = fs
  const source = getInode(core, from)
  admitRange(fs, to, (target) => copyGrowth(core, source, fromOffset, target, toOffset, length))
  core.diskSpace.grow(ROW_BYTES * Math.ceil(Math.min(length, source.size) / CHUNK_BYTES + 1))
}
