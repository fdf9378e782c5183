// Reads what a change will need before anything is changed: a read that must wait (a Fault) happens
// here, while the operation can still be restarted, and later reads in the same step find the
// result at hand. Does nothing on an engine that answers at once.

import { isDirectory } from '../../base/mode.ts'
import { hasChanged } from '../../base/step.ts'
import { extentPast, hardlink, tagging, tag as tags, version } from '../../store/collections.ts'
import { ALL } from '../../store/store.ts'
import type { Core } from '../core/core.ts'
import type { Inode } from '../core/inode.ts'
import { listXattrs, tagsOf } from './attached.ts'
import { findEntry } from './directory.ts'
import { isRecorded, isRecordedName, recordedUntil } from './history-recording.ts'
import { findInode } from './inodes.ts'

/**
 * True when nothing has to be prefetched: the engine is synchronous, or the step has begun to
 * change rows and so prefetched before.
 */
export function isReady(core: Core): boolean {
  return core.overlay.store.traits.synchronous || hasChanged()
}

/** Before a name in a directory is put, replaced or removed. */
export function prefetchName(core: Core, directory: Inode, name: string): void {
  if (isReady(core)) return
  isRecorded(core, directory)
  isRecordedName(core, directory.ino, name)
  findEntry(core, directory.ino, name)
}

/** Before the attributes, extended attributes, labels or names of an inode are changed. */
export function prefetchInode(core: Core, inode: Inode): void {
  if (isReady(core)) return
  const { ino } = inode
  const { isOn, isExcluded } = core.history
  isRecorded(core, inode)
  if (!isOn || isExcluded !== undefined) {
    recordedUntil(core, ino)
    core.overlay.get(version, [ino, inode.versions])
  }
  listXattrs(core, inode)
  tagsOf(core, ino)
}

/** Before an inode loses a name in a directory. */
export function prefetchLoss(core: Core, inode: Inode, parent: number, name: string): void {
  if (isReady(core)) return
  prefetchEnd(core, inode)
  // Another name takes its place in the inode's row.
  const isFirst = inode.parent === parent && inode.name === name
  if (isFirst && inode.nlink > 1 && !isDirectory(inode.mode))
    core.overlay.scan(hardlink, { gte: [inode.ino], lt: [inode.ino + 1], limit: 1 })
}

/** Before an inode without a name ends. */
export function prefetchEnd(core: Core, inode: Inode): void {
  if (isReady(core)) return
  prefetchInode(core, inode)
  prefetchJournal(core, inode)
}

/** Before these labels are put on an inode; `ino` may be that of one yet to be created. */
export function prefetchTags(core: Core, ino: number, names: readonly string[]): void {
  if (isReady(core) || names.length === 0) return
  core.overlay.scan(tagging, { gte: [ino], lt: [ino + 1], limit: ALL })
  for (const name of names) {
    core.overlay.get(tags, [name])
    core.overlay.get(tagging, [ino, name])
  }
}

/** Before labels are removed from inodes, which may be deleted. */
export function prefetchTagged(core: Core, inos: readonly number[]): void {
  if (isReady(core)) return
  for (const ino of inos) {
    const inode = findInode(core, ino)
    if (inode === undefined) recordedUntil(core, ino)
    else prefetchInode(core, inode)
  }
}

/** Before an unsealed change of content becomes history. */
export function prefetchJournal(core: Core, inode: Inode): void {
  for (const [offset, since] of inode.journal?.past ?? [])
    core.overlay.get(extentPast, [inode.ino, offset, since])
}
