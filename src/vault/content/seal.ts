// Sealing: the moment at which a change of content is complete, and becomes a version.

import { steadyMs } from '../../base/clock.ts'
import { isDirectory } from '../../base/mode.ts'
import { idempotent } from '../../base/step.ts'
import { inodePast, inode as inodes, unsealed, version } from '../../store/collections.ts'
import { tryNow } from '../../store/retry.ts'
import type { Core } from '../core/core.ts'
import { cycleCheck } from '../core/cycles.ts'
import { type Inode, isProvisional, TRUNCATED, UNCHANGED, WRITTEN } from '../core/inode.ts'
import { isRecorded, recordedUntil } from '../tree/history-recording.ts'
import { claim, endBefore, findInode } from '../tree/inodes.ts'
import { placesOf } from '../tree/names.ts'
import { flushWrites } from './content.ts'
import { sealExtents } from './extents.ts'
import { prefetchSeal } from './prefetch.ts'
import { isSameContent, takeBack } from './same-content.ts'

/**
 * A file that was only truncated to zero (or created and left empty) is sealed after this much
 * quiet: usually writes follow at once.
 */
export const QUIET_MS = 1000

/**
 * close(2): seals what was written. Its author is whoever closes the file, because the kernel's
 * writeback cache hides who wrote. A bare truncation waits for QUIET_MS.
 */
export function closeContent(core: Core, inode: Inode): void {
  if (!isProvisional(inode)) return
  claim(core, inode)
  if (inode.change === WRITTEN) seal(core, inode)
}

/**
 * Ends a change of content: the present state begins now, as the next version unless the content
 * equals the last one's.
 */
export function seal(core: Core, inode: Inode): void {
  flushWrites(core, inode)
  if (inode.nlink === 0) return
  prefetchSeal(core, inode)
  const same = isSameContent(core, inode)
  idempotent(() => {
    if (same) sealUnchanged(core, inode)
    else sealChanged(core, inode)
    inode.change = UNCHANGED
    inode.journal = undefined
    core.open.delete(inode.ino)
    core.overlay.put(inodes, inode)
    core.overlay.delete(unsealed, [inode.ino])
  })
}

function sealChanged(core: Core, inode: Inode): void {
  const moment = core.moments.next()
  sealExtents(core, inode, moment)
  endBefore(core, inode, moment)
  inode.since = moment
  if (!isRecorded(core, inode)) dropVersion(core, inode)
  inode.versions++
  core.overlay.put(version, {
    ino: inode.ino,
    number: inode.versions,
    moment,
    size: inode.size,
    mode: inode.mode,
    uid: inode.uid,
    gid: inode.gid,
    mtime: inode.mtime,
    mtimeNs: inode.mtimeNs,
    actor: inode.actor,
  })
}

/** Without history only the newest version is kept, besides those that were recorded before. */
function dropVersion(core: Core, inode: Inode): void {
  if (inode.versions === 0) return
  const before = core.overlay.get(version, [inode.ino, inode.versions])
  if (before !== undefined && before.moment >= recordedUntil(core, inode.ino))
    core.overlay.delete(version, [inode.ino, inode.versions])
}

/**
 * The content is unchanged: times and anything else that was changed are a change of attributes.
 */
function sealUnchanged(core: Core, inode: Inode): void {
  takeBack(core, inode)
  const before = inode.journal?.before
  if (before === undefined || before.since <= core.moments.barrier) {
    const moment = core.moments.next()
    endBefore(core, inode, moment)
    inode.since = moment
  } else {
    core.overlay.delete(inodePast, [inode.ino, before.since])
    inode.since = before.since
    inode.actor = before.actor
  }
}

/**
 * Seals what has been quiet for long enough, or was held open for `heldMs`. Called a few times a
 * second.
 */
export function sealQuiet(core: Core, heldMs: number): void {
  const now = steadyMs()
  const failures: unknown[] = []
  for (const inode of [...core.open.values()]) {
    const due =
      inode.change === WRITTEN
        ? now - inode.openedAtMs > heldMs
        : now - inode.changedAtMs > QUIET_MS
    if (!due) continue
    try {
      tryNow(() => seal(core, inode))
    } catch (error) {
      // One that cannot be sealed does not stop the others.
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

/**
 * Inodes that are being overwritten: the given one, or those below it. Until they are sealed,
 * history shows their former content as of now, when a change of names or permissions may already
 * let others read it.
 */
export function writtenOverBelow(core: Core, { ino, mode }: Inode): Inode[] {
  const own = core.open.get(ino)
  const open = isDirectory(mode) ? [...core.open.values()] : own === undefined ? [] : [own]
  return open.filter(
    (inode) =>
      inode.journal?.before !== undefined &&
      inode.nlink > 0 &&
      (inode.ino === ino || placesOf(core, inode).some(({ parent }) => isBelow(core, parent, ino))),
  )
}

function isBelow(core: Core, parent: number, ino: number): boolean {
  const isCycle = cycleCheck()
  for (let at = parent; at !== ino; ) {
    const directory = findInode(core, at)
    if (directory === undefined || directory.parent === at || isCycle(at)) return false
    at = directory.parent
  }
  return true
}

/** Seals everything, when the vault is closed. */
export function sealAll(core: Core): void {
  for (const inode of [...core.open.values()]) seal(core, inode)
}

/**
 * Seals what a snapshot of this moment is to show: all but files that were just emptied, which are
 * usually about to be written.
 */
export function sealForSnapshot(core: Core): void {
  const now = steadyMs()
  for (const inode of [...core.open.values()]) {
    const emptied = inode.change === TRUNCATED && inode.journal?.before !== undefined
    if (!emptied || now - inode.changedAtMs > QUIET_MS) seal(core, inode)
  }
}
