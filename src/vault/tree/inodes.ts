// Finding, creating, changing and ending inodes. Every change of an inode's row goes through
// `alter` (complete in itself, such as chmod) or `begin` (part of a change of content that is
// sealed later), so that the state before it stays readable.

import { steadyMs, wallTime } from '../../base/clock.ts'
import { EMLINK, ENOENT, ENOSPC, EROFS, fail } from '../../base/errno.ts'
import { LINK_COUNT_MAX } from '../../base/limits.ts'
import {
  entryPast,
  extent,
  extentPast,
  type InodeRow,
  inodePast,
  inode as inodes,
  orphan,
  PROVISIONAL,
  tagging,
  taggingPast,
  unsealed,
  version,
  xattr,
  xattrPast,
} from '../../store/collections.ts'
import type { Core } from '../core/core.ts'
import { type Inode, isProvisional, newJournal, toInode, toRow } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import { chargeOf } from '../core/usage.ts'
import { isRecorded, leaveNoTrace, releaseTraceless } from './history-recording.ts'

/** The inode in memory, or undefined when it does not exist. */
export function findInode(core: Core, ino: number): Inode | undefined {
  const cached = core.inodes.get(ino)
  if (cached !== undefined) return cached
  const used = core.open.get(ino) ?? core.orphans.get(ino)
  if (used !== undefined) return used
  const row = core.overlay.get(inodes, [ino])
  if (row === undefined) return undefined
  // The overlay may hold an Inode; the store gives plain rows.
  const found = 'chunks' in row ? (row as Inode) : toInode(row, false)
  core.inodes.set(ino, found)
  return found
}

/** The inode in memory. Throws ENOENT when it does not exist. */
export function getInode(core: Core, ino: number): Inode {
  return findInode(core, ino) ?? fail(ENOENT)
}

/** Throws ENOSPC or EROFS while the engine rejects changes. */
export function assertWritable(core: Core): void {
  const { failure } = core.commits
  if (failure !== undefined) fail(failure.kind === 'full' ? ENOSPC : EROFS)
}

interface NewInode {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly rdev: number
  readonly parent: number
}

/**
 * Creates an inode that is complete as it is (a directory, a FIFO ...), or whose content follows
 * (`provisional`).
 */
export function createInode(
  core: Core,
  from: NewInode,
  moment: Moment,
  provisional: boolean,
): Inode {
  assertWritable(core)
  const now = wallTime()
  const { sec, ns } = now
  const row: InodeRow = {
    ino: core.nextIno++,
    mode: from.mode,
    nlink: 1,
    uid: from.uid,
    gid: from.gid,
    rdev: from.rdev,
    size: 0,
    allocated: 0,
    parent: from.parent,
    name: '',
    xattrs: 0,
    tags: 0,
    versions: 0,
    atime: sec,
    atimeNs: ns,
    mtime: sec,
    mtimeNs: ns,
    ctime: sec,
    ctimeNs: ns,
    btime: sec,
    btimeNs: ns,
    actor: core.actors.current,
    since: moment,
  }
  const made = toInode(row, true)
  core.inodes.set(row.ino, made)
  core.inodeCount++
  core.usage.add(row.uid, 0, 1)
  if (provisional) {
    made.since = PROVISIONAL
    made.journal = newJournal(undefined)
    made.changedAtMs = made.openedAtMs = steadyMs()
    core.open.set(row.ino, made)
    core.overlay.put(unsealed, { ino: row.ino })
  }
  core.overlay.put(inodes, made)
  return made
}

/**
 * Called before an inode's row is changed: keeps the former state, if it can have been seen, as a
 * past row. The new state begins now, or at the moment of the enclosing change. A state that was
 * never visible is changed in place, and keeps its actor. Throws ENOSPC or EROFS while the engine
 * rejects changes.
 */
export function alter(core: Core, inode: Inode, at?: Moment): void {
  assertWritable(core)
  if (inode.nlink === 0 && core.orphans.has(inode.ino)) return
  const isSeen = !isProvisional(inode) && inode.since <= core.moments.barrier
  if (isSeen) {
    if (isRecorded(core, inode)) {
      const moment = at ?? core.moments.next()
      core.overlay.put(inodePast, { ...toRow(inode), until: moment })
      inode.since = moment
    }
    inode.actor = core.actors.current
  }
  core.overlay.put(inodes, inode)
}

/**
 * As `alter`, for a change of attributes or labels, which have rows of their own. Returns the
 * moment from which those rows count: the one at which the state begins, so that none of them spans
 * two states.
 */
export function alterNow(core: Core, inode: Inode): Moment {
  const moment = core.moments.next()
  alter(core, inode, moment)
  const isUnseen = !isProvisional(inode) && inode.since > core.moments.barrier
  return isUnseen ? inode.since : moment
}

/**
 * Whether an attribute or label that exists since a moment must be kept when it ends: it can have
 * been seen, or is part of a recorded state.
 */
export function isOnRecord(core: Core, inode: Inode | undefined, since: Moment): boolean {
  if (since <= core.moments.barrier) return true
  return inode !== undefined && !isProvisional(inode) && since < inode.since
}

/**
 * Records the present state of an inode even if it was never visible: further changes begin another
 * state.
 */
export function keepState(core: Core, inode: Inode): void {
  if (isProvisional(inode) || inode.since <= core.moments.barrier) return
  if (!isRecorded(core, inode)) return
  const moment = core.moments.next()
  core.overlay.put(inodePast, { ...toRow(inode), until: moment })
  inode.since = moment
  core.overlay.put(inodes, inode)
}

/**
 * Starts or continues a change of content; until it is sealed, history shows the state before it.
 * Throws ENOSPC or EROFS while the engine rejects changes.
 */
export function begin(core: Core, inode: Inode): void {
  assertWritable(core)
  inode.changedAtMs = steadyMs()
  if (inode.nlink === 0 && core.orphans.has(inode.ino)) return
  if (!isProvisional(inode)) {
    const before = isRecorded(core, inode) ? { ...toRow(inode), until: PROVISIONAL } : undefined
    if (before !== undefined) core.overlay.put(inodePast, before)
    inode.since = PROVISIONAL
    inode.journal = newJournal(before)
    inode.openedAtMs = inode.changedAtMs
    core.open.set(inode.ino, inode)
    core.overlay.put(unsealed, { ino: inode.ino })
    inode.actor = 0
  }
  claim(core, inode)
  core.overlay.put(inodes, inode)
}

/**
 * Makes the current actor, if known, the author of an unsealed change: the last one to touch it
 * wins.
 */
export function claim(core: Core, inode: Inode): void {
  const { current } = core.actors
  if (current === 0 || current === inode.actor) return
  inode.actor = current
  // Put at once: an actor that no row refers to may be swept.
  if (inode.nlink > 0) core.overlay.put(inodes, inode)
}

/** Sets ctime to now, and mtime as well. The caller has called `alter` or `begin`. */
export function stampChange(inode: Inode, modified: boolean): void {
  const now = wallTime()
  inode.ctime = now.sec
  inode.ctimeNs = now.ns
  if (modified) {
    inode.mtime = now.sec
    inode.mtimeNs = now.ns
  }
}

/** Turns a new inode into one without a name (O_TMPFILE). */
export function detach(core: Core, inode: Inode): void {
  inode.nlink = 0
  core.orphans.set(inode.ino, inode)
  core.open.delete(inode.ino)
  core.overlay.delete(inodes, [inode.ino])
  core.overlay.delete(unsealed, [inode.ino])
  core.overlay.put(orphan, { ino: inode.ino })
  countOneLess(core)
  core.usage.renamed(inode.uid)
}

/** Never below 0: the counter of a forged vault may be too low. */
function countOneLess(core: Core): void {
  core.inodeCount = Math.max(0, core.inodeCount - 1)
}

/** Adds one to the link count. Throws EMLINK at the limit. */
export function addLink(core: Core, inode: Inode): void {
  if (inode.nlink >= LINK_COUNT_MAX) fail(EMLINK)
  const orphaned = core.orphans.delete(inode.ino)
  if (orphaned) {
    core.overlay.delete(orphan, [inode.ino])
    inode.nlink = 1
    inode.actor = core.actors.current
    core.inodeCount++
    core.usage.renamed(inode.uid)
    if (isProvisional(inode)) {
      core.open.set(inode.ino, inode)
      core.overlay.put(unsealed, { ino: inode.ino })
    }
    core.overlay.put(inodes, inode)
  } else {
    alter(core, inode)
    inode.nlink++
  }
  stampChange(inode, false)
}

/**
 * Takes one from the link count. At zero the inode becomes part of the past; its content stays
 * usable as long as it is `used`. `traceless`: the name was never visible, so that a file that was
 * never seen leaves no rows.
 */
export function dropLink(
  core: Core,
  inode: Inode,
  moment: Moment,
  used: boolean,
  traceless: boolean,
): void {
  // A damaged link count may be lower than the number of names: the inode has ended already.
  if (core.orphans.has(inode.ino)) return
  const last = inode.nlink <= 1 || (inode.mode & 0o170000) === 0o040000
  if (!last) {
    alter(core, inode, moment)
    // A name of it is in history.
    if (!traceless) inode.born = 0
    inode.nlink--
    stampChange(inode, false)
    return
  }
  assertWritable(core)
  endInode(core, inode, moment, traceless && inode.born > core.moments.barrier)
  inode.nlink = 0
  stampChange(inode, false)
  if (used) {
    inode.since = PROVISIONAL
    inode.journal ??= newJournal(undefined)
    core.orphans.set(inode.ino, inode)
    core.overlay.put(orphan, { ino: inode.ino })
    core.usage.renamed(inode.uid)
  } else reap(core, inode, moment)
}

/**
 * Moves the inode's row to the past, ending at `moment`; with `erase`, drops all of its history.
 */
function endInode(core: Core, inode: Inode, moment: Moment, erase: boolean): void {
  const { ino } = inode
  if (erase) {
    inode.versions = 0
    const past = [inodePast, entryPast, version, xattrPast, extentPast, tagging, taggingPast]
    for (const collection of past) core.overlay.discard(collection as typeof inodePast, ino)
    // No history shows these extents, sealed or not: they are deleted when the inode is no longer
    // in use.
    inode.journal ??= newJournal(undefined)
    for (const rows of inode.chunks.values())
      for (const row of rows) inode.journal.current.add(row.offset)
  } else if (isProvisional(inode)) endBefore(core, inode, moment)
  else if (isRecorded(core, inode)) core.overlay.put(inodePast, { ...toRow(inode), until: moment })
  if (!isRecorded(core, inode)) leaveNoTrace(core, ino)
  core.overlay.delete(inodes, [ino])
  core.overlay.delete(unsealed, [ino])
  core.open.delete(ino)
  countOneLess(core)
}

/** Ends the past row that history showed while the inode was provisional. */
export function endBefore(core: Core, inode: Inode, moment: Moment): void {
  const before = inode.journal?.before
  if (before !== undefined) core.overlay.put(inodePast, { ...before, until: moment })
}

/** Drops an inode that has no name and is not in use, with what was written since the last seal. */
export function reap(core: Core, inode: Inode, moment: Moment): void {
  const { ino, journal } = inode
  core.usage.add(inode.uid, -chargeOf(inode), -1)
  if (inode.writeBuffer !== undefined) {
    inode.writeBuffer = undefined
    inode.reserved = 0
    core.dirty.delete(inode)
  }
  if (core.orphans.delete(ino)) core.overlay.delete(orphan, [ino])
  core.inodes.delete(ino)
  core.directories.delete(ino)
  if (inode.versions === 0 && inode.born > core.moments.barrier) {
    core.overlay.discard(extent, ino)
    core.overlay.discard(xattr, ino)
    core.history.traceless.delete(ino)
    return
  }
  releaseTraceless(core, ino)
  if (journal !== undefined) {
    for (const offset of journal.current) core.overlay.delete(extent, [ino, offset])
    for (const [offset, since] of journal.past) {
      const past = core.overlay.get(extentPast, [ino, offset, since])
      if (past !== undefined) core.overlay.put(extentPast, { ...past, until: moment })
    }
  }
}
