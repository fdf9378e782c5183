// Sealing: the moment at which a change of content is complete, and becomes a version.

import { inode as inodes, unsealed, version } from '../store/collections.ts'
import { spill } from './content.ts'
import type { Core } from './core.ts'
import { sealExtents } from './extents.ts'
import { type Inode, isProvisional, UNCHANGED, WRITTEN } from './inode.ts'
import { endBefore } from './inodes.ts'

/** A file that was only emptied (or made and left empty) is sealed after this much quiet: as a rule more follows at once. */
export const QUIET_MS = 1000

/** close(2): what was written is complete. A bare truncation waits for QUIET_MS. */
export function closeContent(core: Core, inode: Inode): void {
  if (inode.change === WRITTEN && isProvisional(inode)) seal(core, inode)
}

/** Ends a change: the state as it is now counts from now on, as the next version. */
export function seal(core: Core, inode: Inode): void {
  spill(core, inode)
  if (inode.nlink === 0) return
  const moment = core.moments.next()
  const { ino } = inode
  sealExtents(core, inode, moment)
  endBefore(core, inode, moment)
  inode.since = moment
  inode.versions++
  inode.change = UNCHANGED
  inode.journal = undefined
  core.open.delete(ino)
  core.overlay.put(inodes, inode)
  core.overlay.delete(unsealed, [ino])
  core.overlay.put(version, {
    ino,
    number: inode.versions,
    moment,
    size: inode.size,
    mtime: inode.mtime,
    mtimeNs: inode.mtimeNs,
  })
}

/** Seals what has been quiet for long enough, and what was held open for `heldMs`. Called a few times a second. */
export function sealQuiet(core: Core, heldMs: number): void {
  const now = Date.now()
  for (const inode of [...core.open.values()]) {
    const due =
      inode.change === WRITTEN
        ? now - inode.openedAtMs > heldMs
        : now - inode.changedAtMs > QUIET_MS
    if (due) seal(core, inode)
  }
}

/** Seals everything: what a snapshot of this moment is to show. */
export function sealAll(core: Core): void {
  for (const inode of [...core.open.values()]) seal(core, inode)
}
