// Snapshots: names for moments. Creating one costs a row, however much the vault holds.

import { nowMicros } from '../../base/clock.ts'
import { EEXIST, ENOENT, fail } from '../../base/errno.ts'
import { type SnapshotRow, snapshot } from '../../store/collections.ts'
import { ALL } from '../../store/store.ts'
import { sealForSnapshot } from '../content/seal.ts'
import type { Core } from '../core/core.ts'
import { assertSnapshotName } from '../core/label-rules.ts'
import type { Moment } from '../core/moment.ts'
import { assertWritable } from '../tree/inodes.ts'

export type { SnapshotRow }

const watchers = new WeakMap<Core, (name: string) => void>()

/** Calls `heard` with each snapshot name that is removed or renamed away. One watcher a vault. */
export function watchSnapshots(core: Core, heard: (name: string) => void): void {
  watchers.set(core, heard)
}

/**
 * Names the present moment, after sealing open files except those just emptied. Does not include
 * what programs wrote that is still in the kernel's cache. Throws EEXIST, EINVAL, ENAMETOOLONG.
 */
export function createSnapshot(core: Core, name: string): Moment {
  assertSnapshotName(name)
  assertWritable(core)
  if (findSnapshot(core, name) !== undefined) fail(EEXIST)
  sealForSnapshot(core)
  const moment = core.moments.next()
  core.overlay.put(snapshot, { name, moment, createdAt: nowMicros() })
  core.moments.observe()
  return moment
}

/** Deletes the name; the moment stays readable. Throws ENOENT. */
export function deleteSnapshot(core: Core, name: string): void {
  assertWritable(core)
  if (findSnapshot(core, name) === undefined) fail(ENOENT)
  core.overlay.delete(snapshot, [name])
  watchers.get(core)?.(name)
}

/** Renames a snapshot. Throws ENOENT, EEXIST, EINVAL, ENAMETOOLONG. */
export function renameSnapshot(core: Core, name: string, newName: string): void {
  assertSnapshotName(newName)
  assertWritable(core)
  const row = findSnapshot(core, name) ?? fail(ENOENT)
  if (name === newName) return
  if (findSnapshot(core, newName) !== undefined) fail(EEXIST)
  core.overlay.delete(snapshot, [name])
  core.overlay.put(snapshot, { ...row, name: newName })
  watchers.get(core)?.(name)
}

/** All snapshots, oldest first. */
export function listSnapshots(core: Core): SnapshotRow[] {
  return core.overlay.scan(snapshot, { limit: ALL }).sort((a, b) => a.moment - b.moment)
}

export function findSnapshot(core: Core, name: string): SnapshotRow | undefined {
  return core.overlay.get(snapshot, [name])
}
