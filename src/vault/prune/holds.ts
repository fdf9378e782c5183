// Holds: paths and moments that prune keeps until they are released.

import { nowMicros } from '../../base/clock.ts'
import { ENAMETOOLONG, fail } from '../../base/errno.ts'
import { HOLD_BYTES_MAX } from '../../base/limits.ts'
import { type HoldRow, hold, snapshot } from '../../store/collections.ts'
import { ALL } from '../../store/store.ts'
import type { Core } from '../core/core.ts'

export type { HoldRow }

/**
 * Holds a path from the root ('/a.txt', a byte string; it may no longer exist) or the snapshot of
 * that name, whose moment stays readable even if the snapshot is deleted. Holding again changes
 * nothing. Returns undefined when there is no such snapshot. Throws ENAMETOOLONG.
 */
export function addHold(core: Core, name: string): HoldRow | undefined {
  if (name.length > HOLD_BYTES_MAX) fail(ENAMETOOLONG)
  const known = core.overlay.get(hold, [name])
  if (known !== undefined) return known
  const isPath = name.startsWith('/')
  const moment = isPath ? 0 : snapshotMoment(core, name)
  if (moment === undefined) return undefined
  const row: HoldRow = { name, moment, createdAt: nowMicros() }
  core.overlay.put(hold, row)
  return row
}

function snapshotMoment(core: Core, name: string): number | undefined {
  return core.overlay.get(snapshot, [Buffer.from(name, 'latin1').toString('utf8')])?.moment
}

/** Releases a hold. Returns false when there was none. */
export function releaseHold(core: Core, name: string): boolean {
  if (core.overlay.get(hold, [name]) === undefined) return false
  core.overlay.delete(hold, [name])
  return true
}

/** All holds, by name. */
export function listHolds(core: Core): HoldRow[] {
  return core.overlay.scan(hold, { limit: ALL })
}
