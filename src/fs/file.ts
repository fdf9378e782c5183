// The content of files: read, write, flush, fallocate, lseek, copy_file_range; and readlink.

import {
  EFBIG,
  EINVAL,
  EIO,
  EISDIR,
  ENODEV,
  ENOSPC,
  ENXIO,
  EOPNOTSUPP,
  fail,
} from '../base/errno.ts'
import { FILE_BYTES_MAX } from '../base/limits.ts'
import { isDirectory, isRegular, isSymlink } from '../base/mode.ts'
import { StoreError } from '../store/store.ts'
import {
  copyContent,
  punchContent,
  readContent,
  resizeContent,
  writeContent,
} from '../vault/content/content.ts'
import { prefetchContent } from '../vault/content/prefetch.ts'
import { closeContent } from '../vault/content/seal.ts'
import { seekContent } from '../vault/content/seek.ts'
import { type Inode, UNCHANGED } from '../vault/core/inode.ts'
import { alter, findInode, getInode, stampChange } from '../vault/tree/inodes.ts'
import { noteClose, noteRead, noteWrite, touchAtime } from './atime.ts'
import { assertChangeable, assertWrittenBack, type FsContext } from './context.ts'
import { KEEP_SIZE, PUNCH_HOLE, SEEK_DATA, SEEK_HOLE, ZERO_RANGE } from './flags.ts'
import type { Caller } from './operations.ts'
import { dropPrivileges } from './privileges.ts'

/** copy_file_range(2) may copy less than it is asked for; others wait no longer than this takes. */
const COPIED_EXTENTS_MAX = 1024

function getRegular(fs: FsContext, ino: number): Inode {
  const inode = getInode(fs.core, ino)
  if (!isRegular(inode.mode)) fail(isDirectory(inode.mode) ? EISDIR : EINVAL)
  return inode
}

export function read(
  fs: FsContext,
  caller: Caller,
  ino: number,
  offset: number,
  size: number,
  flags: number,
): readonly Uint8Array[] {
  const inode = getRegular(fs, ino)
  const parts = readContent(fs.core, inode, offset, size)
  noteRead(fs, inode, caller, { offset, size, flags })
  return parts
}

export function write(
  fs: FsContext,
  caller: Caller,
  ino: number,
  offset: number,
  data: Uint8Array,
  killPrivileges: boolean,
  cached: boolean,
): Promise<void> | undefined {
  assertChangeable(fs)
  const inode = getRegular(fs, ino)
  if (data.length === 0) return undefined
  writeContent(fs.core, inode, offset, data)
  noteWrite(inode, offset, data.length)
  if (killPrivileges) losePrivileges(fs, inode, caller)
  // SETATTR brings the kernel's times when they differ from those it knows: it sends none for a
  // write within the tick of the file's creation.
  if (!cached) stampChange(inode, true)
  return fs.vault.relieve()
}

/** The kernel does not ask for the mode again after a change of content. */
function losePrivileges(fs: FsContext, inode: Inode, caller: Caller): void {
  if (dropPrivileges(fs.core, inode, caller)) fs.notices?.attributesChanged(inode.ino)
}

/** close(2) of a descriptor: what was written is complete. */
export function flush(fs: FsContext, caller: Caller, ino: number): void {
  const inode = findInode(fs.core, ino)
  if (inode === undefined || fs.readOnly) return
  const isChanged = inode.change !== UNCHANGED
  const isRead = noteClose(fs, inode, caller, isChanged)
  if (isChanged) closeContent(fs.core, inode)
  if (isRead) fs.notices?.attributesChanged(ino)
}

/**
 * fsync(2), syncfs(2): resolves when all that was done is durable. Rejects with ENOSPC or EIO when
 * the engine refuses it.
 */
export async function sync(fs: FsContext): Promise<void> {
  try {
    await fs.vault.durable()
  } catch (error) {
    if (error instanceof StoreError) fail(error.kind === 'full' ? ENOSPC : EIO)
    throw error
  }
}

export function fallocate(
  fs: FsContext,
  caller: Caller,
  ino: number,
  offset: number,
  length: number,
  mode: number,
): void {
  assertChangeable(fs)
  const inode = getInode(fs.core, ino)
  if (!isRegular(inode.mode)) fail(ENODEV)
  const end = offset + length
  if (length <= 0) fail(EINVAL)
  if (end > FILE_BYTES_MAX) fail(EFBIG)
  const keep = (mode & KEEP_SIZE) !== 0
  const punch = (mode & PUNCH_HOLE) !== 0
  const zero = (mode & ZERO_RANGE) !== 0
  const unknown = mode & ~(KEEP_SIZE | PUNCH_HOLE | ZERO_RANGE)
  if (unknown !== 0 || (punch && (zero || !keep))) fail(EOPNOTSUPP)
  // Blocks are not set aside, but what cannot fit is refused now rather than when it is written.
  if (!punch && !zero && length > fs.vault.space().available) fail(ENOSPC)
  prefetchContent(fs.core, inode, offset, end)
  if (punch || zero) punchContent(fs.core, inode, offset, end)
  if (!keep && end > inode.size) resizeContent(fs.core, inode, end)
  alter(fs.core, inode)
  if (caller.uid !== 0) losePrivileges(fs, inode, caller)
  stampChange(inode, true)
}

export function lseek(fs: FsContext, ino: number, offset: number, whence: number): number {
  const inode = getInode(fs.core, ino)
  if (!isRegular(inode.mode)) fail(EINVAL)
  if (whence !== SEEK_DATA && whence !== SEEK_HOLE) fail(EINVAL)
  assertWrittenBack(fs, ino)
  if (offset < 0 || offset >= inode.size) fail(ENXIO)
  return seekContent(fs.core, inode, offset, whence === SEEK_DATA)
}

export function copyFileRange(
  fs: FsContext,
  caller: Caller,
  from: number,
  fromOffset: number,
  to: number,
  toOffset: number,
  length: number,
): number {
  assertChangeable(fs)
  const source = getRegular(fs, from)
  const target = getRegular(fs, to)
  if (source === target && fromOffset < toOffset + length && toOffset < fromOffset + length)
    fail(EINVAL)
  const most = COPIED_EXTENTS_MAX
  const copied = copyContent(fs.core, source, fromOffset, target, toOffset, length, most)
  touchAtime(fs, source)
  if (copied > 0) {
    if (caller.uid !== 0) losePrivileges(fs, target, caller)
    stampChange(target, true)
  }
  return copied
}

export function readlink(fs: FsContext, ino: number): string {
  const inode = getInode(fs.core, ino)
  if (!isSymlink(inode.mode)) fail(EINVAL)
  return Buffer.concat(readContent(fs.core, inode, 0, inode.size)).toString('latin1')
}
