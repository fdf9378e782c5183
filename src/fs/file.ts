// The content of files: read, write, flush, fallocate, lseek, copy_file_range; and readlink.

import { wallTime } from '../base/clock.ts'
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
import { inode as inodes } from '../store/collections.ts'
import { Fault, StoreError } from '../store/store.ts'
import {
  copyContent,
  punchContent,
  readContent,
  resizeContent,
  seekContent,
  writeContent,
} from '../vault/content.ts'
import { type Inode, UNCHANGED } from '../vault/inode.ts'
import { alter, findInode, getInode, stampChange } from '../vault/inodes.ts'
import { readyContent } from '../vault/ready.ts'
import { closeContent } from '../vault/versions.ts'
import { assertChangeable, type FsContext } from './context.ts'
import type { Caller } from './operations.ts'
import { dropPrivileges } from './privileges.ts'

const KEEP_SIZE = 0x01
const PUNCH_HOLE = 0x02
const ZERO_RANGE = 0x10
const SEEK_DATA = 3
const SEEK_HOLE = 4
const DAY_SECONDS = 86400

function getRegular(fs: FsContext, ino: number): Inode {
  const inode = getInode(fs.core, ino)
  if (!isRegular(inode.mode)) fail(isDirectory(inode.mode) ? EISDIR : EINVAL)
  return inode
}

export function read(
  fs: FsContext,
  ino: number,
  offset: number,
  size: number,
): readonly Uint8Array[] {
  const inode = getRegular(fs, ino)
  const parts = readContent(fs.core, inode, offset, size)
  if (!fs.readOnly) touchAtime(fs, inode)
  return parts
}

/**
 * relatime (mount(8)): a read moves atime only when it is not newer than a change, or a day old. History keeps no trace of
 * it. Returns true when it moved.
 */
function touchAtime(fs: FsContext, inode: Inode): boolean {
  if (fs.atime === 'noatime') return false
  const { sec, ns } = wallTime()
  const { atime, atimeNs } = inode
  const behind =
    fs.atime === 'strictatime' ||
    isNotAfter(atime, atimeNs, inode.mtime, inode.mtimeNs) ||
    isNotAfter(atime, atimeNs, inode.ctime, inode.ctimeNs) ||
    sec - atime >= DAY_SECONDS
  if (!behind || fs.core.commits.failure !== undefined || fs.core.room.isTight) return false
  inode.atime = sec
  inode.atimeNs = ns
  if (inode.nlink > 0) fs.core.overlay.put(inodes, inode)
  return true
}

function isNotAfter(sec: number, ns: number, otherSec: number, otherNs: number): boolean {
  return sec < otherSec || (sec === otherSec && ns <= otherNs)
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
  if (killPrivileges) losePrivileges(fs, inode, caller)
  // SETATTR brings the kernel's times when they differ from those it knows: it is silent about a write within the tick of
  // the file's creation.
  if (!cached) stampChange(inode, true)
  return fs.vault.relieve()
}

/** The kernel does not ask for the mode again after a change of content. */
function losePrivileges(fs: FsContext, inode: Inode, caller: Caller): void {
  if (dropPrivileges(fs.core, inode, caller)) fs.notices?.attributesChanged(inode.ino)
}

/**
 * close(2) of a descriptor: what was written is complete. A close without a write is taken for the end of a read, of which
 * the kernel's cache may have kept everything from us.
 */
export function flush(fs: FsContext, ino: number): void {
  const inode = findInode(fs.core, ino)
  if (inode === undefined || fs.readOnly) return
  if (inode.change !== UNCHANGED) closeContent(fs.core, inode)
  else if (touchAtime(fs, inode)) fs.notices?.attributesChanged(ino)
}

/** fsync(2), syncfs(2): resolves when all that was done is durable. Rejects with ENOSPC or EIO when the engine refuses it. */
export async function sync(fs: FsContext): Promise<void> {
  try {
    await fs.vault.sync()
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
  readyContent(fs.core, inode, offset, end)
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

/** The kernel does not write its dirty pages back before it asks for data and holes: it is told to, then asked again. */
function assertWrittenBack(fs: FsContext, ino: number): void {
  const { notices } = fs
  if (notices === undefined || fs.readOnly || fs.writtenBack.delete(ino)) return
  throw new Fault(async () => {
    await notices.inodeChanged(ino)
    fs.writtenBack.add(ino)
  })
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
  const copied = copyContent(fs.core, source, fromOffset, target, toOffset, length)
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
