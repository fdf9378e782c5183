// When a read moves atime, of which the kernel's cache keeps most from us: no request says that a
// process read what is cached. So close(2) without a write is taken for the end of a read, but
// where nothing of the file can be cached, where the closing process has just changed attributes,
// and where atime is what a program set: it stays until somebody is seen to read, and so that every
// read is seen, the kernel drops what it has cached of such a file.

import { wallTime } from '../base/clock.ts'
import { isRegular } from '../base/mode.ts'
import { inode as inodes } from '../store/collections.ts'
import type { Inode, Reads } from '../vault/core/inode.ts'
import { assertWrittenBack, type FsContext } from './context.ts'
import type { AttributeChange, Caller } from './operations.ts'

const DAY_SECONDS = 86400
/**
 * An atime that was set this close to now is not worth dropping what is cached: who unpacks files
 * sets now.
 */
const RECENT_SECONDS = 60
const PAGE_BYTES = 4096
/** Flags of open(2). */
const O_ACCMODE = 3
const O_WRONLY = 1
const O_RDWR = 2
const O_NOATIME = 0o1000000

function readsOf(inode: Inode): Reads {
  inode.reads ??= { isAtimeSet: false, mayBeCached: false, quietPid: 0, doubtfulAt: undefined }
  return inode.reads
}

/**
 * relatime (mount(8)): a read moves atime only when it is not newer than a change, or a day old.
 * History keeps no trace of it. Returns true when it moved.
 */
export function touchAtime(fs: FsContext, inode: Inode): boolean {
  if (fs.atime === 'noatime' || fs.readOnly) return false
  const { sec, ns } = wallTime()
  const { atime, atimeNs } = inode
  const behind =
    fs.atime === 'strictatime' ||
    isNotAfter(atime, atimeNs, inode.mtime, inode.mtimeNs) ||
    isNotAfter(atime, atimeNs, inode.ctime, inode.ctimeNs) ||
    sec - atime >= DAY_SECONDS
  if (!behind || fs.core.commits.failure !== undefined || fs.core.diskSpace.isTight) return false
  inode.atime = sec
  inode.atimeNs = ns
  if (inode.reads !== undefined) inode.reads.isAtimeSet = false
  if (inode.nlink > 0) fs.core.overlay.put(inodes, inode)
  return true
}

function isNotAfter(sec: number, ns: number, otherSec: number, otherNs: number): boolean {
  return sec < otherSec || (sec === otherSec && ns <= otherNs)
}

/**
 * The kernel reads for a descriptor: for a process, as a rule. Through one that cannot be read from
 * it reads to fill up a page of which a part is written. One that can be both shows at its close
 * which it was, where it matters: in the second case the page came back.
 */
export function noteRead(
  fs: FsContext,
  inode: Inode,
  caller: Caller,
  read: { readonly offset: number; readonly size: number; readonly flags: number },
): void {
  const reads = readsOf(inode)
  reads.mayBeCached = true
  const mode = read.flags & O_ACCMODE
  if (mode === O_WRONLY) return
  if ((read.flags & O_NOATIME) !== 0) reads.quietPid = caller.pid
  else if (mode === O_RDWR && read.size <= PAGE_BYTES && reads.isAtimeSet)
    reads.doubtfulAt ??= read.offset
  else touchAtime(fs, inode)
}

/** Bytes came from the kernel, which may keep them. */
export function noteWrite(inode: Inode, offset: number, length: number): void {
  const reads = readsOf(inode)
  reads.mayBeCached = true
  const { doubtfulAt } = reads
  if (doubtfulAt !== undefined && doubtfulAt >= offset && doubtfulAt < offset + length)
    reads.doubtfulAt = undefined
}

/**
 * Throws a Fault where setattr sets an atime that only a read may move, and reads may be served
 * from the kernel's cache.
 */
export function readyAtime(fs: FsContext, inode: Inode, change: AttributeChange): void {
  if (isLasting(change) && fs.atime !== 'noatime') assertReadsAreSeen(fs, inode)
}

function assertReadsAreSeen(fs: FsContext, inode: Inode): void {
  const { reads } = inode
  if (reads?.mayBeCached !== true || !isRegular(inode.mode)) return
  assertWrittenBack(fs, inode.ino)
  reads.mayBeCached = false
}

function isLasting({ atime }: AttributeChange): boolean {
  return atime !== undefined && Math.abs(atime - wallTime().sec) > RECENT_SECONDS
}

/** A process has changed what is no content: its next close(2) is the end of that. */
export function noteAttributes(inode: Inode, caller: Caller): void {
  readsOf(inode).quietPid = caller.pid
}

/** The same, of setattr. */
export function noteChange(inode: Inode, caller: Caller, change: AttributeChange): void {
  const { atime, size } = change
  const reads = readsOf(inode)
  reads.quietPid = caller.pid
  if (atime !== undefined) reads.isAtimeSet = isLasting(change)
  // A page that was read to be filled up and then cut off does not come back.
  if (atime !== undefined || size !== undefined) reads.doubtfulAt = undefined
}

/**
 * close(2). Returns true when it was the end of a read that moved atime. Throws a Fault, before
 * anything is changed, where reads of what was written could not be seen and have to be.
 */
export function noteClose(
  fs: FsContext,
  inode: Inode,
  caller: Caller,
  isChanged: boolean,
): boolean {
  const { reads } = inode
  if (reads === undefined) return false
  if (isChanged && reads.isAtimeSet && fs.atime !== 'noatime') assertReadsAreSeen(fs, inode)
  const isDoubtful = reads.doubtfulAt !== undefined
  reads.doubtfulAt = undefined
  const isQuiet = isChanged || reads.quietPid === caller.pid
  if (isQuiet) reads.quietPid = 0
  const isRead = reads.isAtimeSet ? isDoubtful : reads.mayBeCached && !isQuiet
  return isRead && touchAtime(fs, inode)
}
