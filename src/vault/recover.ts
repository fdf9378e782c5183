// What a crash leaves undone, done when the vault is opened: inodes that nobody has a name for go, and changes that were
// not sealed are sealed as they are. The rows are a prefix of what happened, so that there is nothing to repair.

import { idempotent } from '../base/step.ts'
import {
  extent,
  extentPast,
  inodePast,
  inode as inodes,
  orphan,
  PROVISIONAL,
  unsealed,
  xattr,
} from '../store/collections.ts'
import { scanExtents } from './content/extents.ts'
import { seal } from './content/seal.ts'
import type { Core } from './core/core.ts'
import { WRITTEN } from './core/inode.ts'
import { findInode } from './tree/inodes.ts'

const ALL = 1_000_000

/** Returns how many inodes were swept and sealed. */
export function recover(core: Core): { swept: number; sealed: number } {
  const orphans = core.overlay.scan(orphan, { limit: ALL })
  for (const { ino } of orphans) idempotent(() => sweep(core, ino))
  const open = core.overlay.scan(unsealed, { limit: ALL })
  for (const { ino } of open) idempotent(() => sealLeft(core, ino))
  return { swept: orphans.length, sealed: open.length }
}

function sweep(core: Core, ino: number): void {
  // In damaged rows: what is there is not swept.
  if (core.overlay.get(inodes, [ino]) !== undefined) {
    core.overlay.delete(orphan, [ino])
    return
  }
  const wasSealed = core.overlay.scan(inodePast, { gte: [ino], lt: [ino + 1], limit: 1 }).length > 0
  const extents = [...scanExtents(core, ino, 0, Number.MAX_SAFE_INTEGER)]
  const xattrs = core.overlay.scan(xattr, { gte: [ino], lt: [ino + 1], limit: ALL })
  const pasts = provisionalPast(core, ino)
  for (const row of extents)
    if (!wasSealed || row.since === PROVISIONAL) core.overlay.delete(extent, [ino, row.offset])
  if (!wasSealed) for (const row of xattrs) core.overlay.delete(xattr, [ino, row.name])
  const moment = core.moments.next()
  for (const row of pasts) core.overlay.put(extentPast, { ...row, until: moment })
  core.overlay.delete(orphan, [ino])
}

function provisionalPast(core: Core, ino: number) {
  return core.overlay
    .scan(extentPast, { gte: [ino], lt: [ino + 1], limit: ALL })
    .filter((row) => row.until === PROVISIONAL)
}

function sealLeft(core: Core, ino: number): void {
  const inode = findInode(core, ino)
  if (inode === undefined || inode.since !== PROVISIONAL) {
    core.overlay.delete(unsealed, [ino])
    return
  }
  const [before] = core.overlay.scan(inodePast, {
    gte: [ino],
    lt: [ino + 1],
    reverse: true,
    limit: 1,
  })
  const current = new Set<number>()
  for (const row of scanExtents(core, ino, 0, Number.MAX_SAFE_INTEGER))
    if (row.since === PROVISIONAL) current.add(row.offset)
  inode.journal = {
    before: before?.until === PROVISIONAL ? before : undefined,
    current,
    past: provisionalPast(core, ino).map((row) => [row.offset, row.since]),
  }
  inode.change = WRITTEN
  seal(core, inode)
}
