// Finishes what a crash left undone, when the vault is opened: drops inodes without a name, and
// seals unsealed changes as they are. The rows are a prefix of all changes, so nothing needs
// repair.

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
import { projectPages, rowsOn } from '../store/pages.ts'
import { ALL } from '../store/store.ts'
import { seal } from './content/seal.ts'
import type { Core } from './core/core.ts'
import { WRITTEN } from './core/inode.ts'
import { findInode } from './tree/inodes.ts'

const PAGE_ROWS = 4096

/** Returns how many inodes were dropped and sealed. */
export function recover(core: Core, pageRows = PAGE_ROWS): { swept: number; sealed: number } {
  const orphans = core.overlay.scan(orphan, { limit: ALL })
  for (const { ino } of orphans) idempotent(() => sweep(core, ino, pageRows))
  const open = core.overlay.scan(unsealed, { limit: ALL })
  for (const { ino } of open) idempotent(() => sealLeft(core, ino, pageRows))
  return { swept: orphans.length, sealed: open.length }
}

function sweep(core: Core, ino: number, pageRows: number): void {
  const { overlay } = core
  // Damaged rows: the inode exists, so it is not dropped.
  if (overlay.get(inodes, [ino]) !== undefined) {
    overlay.delete(orphan, [ino])
    return
  }
  const wasSealed = overlay.scan(inodePast, { gte: [ino], lt: [ino + 1], limit: 1 }).length > 0
  const extents = [...present(core, ino, pageRows)]
  const xattrs = overlay.scan(xattr, { gte: [ino], lt: [ino + 1], limit: ALL })
  const pasts = provisionalPast(core, ino, pageRows).flatMap(({ offset, since }) => {
    const row = overlay.get(extentPast, [ino, offset, since])
    return row === undefined ? [] : [row]
  })
  for (const row of extents)
    if (!wasSealed || row.since === PROVISIONAL) overlay.delete(extent, [ino, row.offset])
  if (!wasSealed) for (const row of xattrs) overlay.delete(xattr, [ino, row.name])
  const moment = core.moments.next()
  for (const row of pasts) overlay.put(extentPast, { ...row, until: moment })
  overlay.delete(orphan, [ino])
}

/** The extents of an inode as the crash left them: nothing has changed them since. */
function present({ overlay: { store } }: Core, ino: number, pageRows: number) {
  const range = { gte: [ino], lt: [ino + 1] }
  return rowsOn(projectPages(store, extent, ['ino', 'offset', 'since'], range, pageRows))
}

function provisionalPast({ overlay: { store } }: Core, ino: number, pageRows: number) {
  const range = { gte: [ino], lt: [ino + 1] }
  const fields = ['ino', 'offset', 'since', 'until'] as const
  const rows = rowsOn(projectPages(store, extentPast, fields, range, pageRows))
  return [...rows].filter(({ until }) => until === PROVISIONAL)
}

function sealLeft(core: Core, ino: number, pageRows: number): void {
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
  for (const { offset, since } of present(core, ino, pageRows))
    if (since === PROVISIONAL) current.add(offset)
  inode.journal = {
    before: before?.until === PROVISIONAL ? before : undefined,
    current,
    past: provisionalPast(core, ino, pageRows).map((row) => [row.offset, row.since]),
  }
  inode.change = WRITTEN
  seal(core, inode)
}
