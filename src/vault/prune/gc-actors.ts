// Frees actors that no row refers to any more: mark and sweep alongside requests, like gc-blocks.ts
// for blocks.

import {
  actor as actors,
  type Collection,
  entry,
  entryPast,
  inodePast,
  inode as inodes,
  version,
} from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Core } from '../core/core.ts'
import { walkRows } from '../core/rows.ts'
import type { Slices } from '../core/time-slices.ts'

/** Actor numbers held in memory at a time: more are processed in portions. */
const CANDIDATES_MAX = 250_000

interface Referring {
  readonly actor?: number
  readonly endedBy?: number
}

/** The collections that refer to actors, and their columns that do. */
const referring: readonly (readonly [Collection<object>, readonly string[]])[] = [
  [inodes, ['actor']],
  [inodePast, ['actor']],
  [version, ['actor']],
  // Past entries after present ones, since rows only move in that direction.
  [entry, ['actor']],
  [entryPast, ['actor', 'endedBy']],
] as unknown as readonly (readonly [Collection<object>, readonly string[]])[]

/**
 * Deletes actors that no row refers to. Only one run at a time (see maintenance.ts); rejects with
 * StoreError when a commit is refused.
 */
export async function collectActors(core: Core, slices: Slices): Promise<void> {
  await slices.settle()
  let left = 0
  for await (const candidates of portions(core, slices)) {
    const all = candidates.size
    let freed = 0
    try {
      await withoutReferred(core, slices, candidates)
      for (const id of candidates) {
        await slices.turn()
        // The witness may have removed it meanwhile.
        if (!candidates.has(id)) continue
        await retryUntilLoaded(() => core.actors.drop(id))
        slices.changed(1)
        freed++
      }
    } finally {
      core.overlay.witness = undefined
    }
    left += all - freed
  }
  await slices.settle()
  core.actors.swept(left)
}

async function* portions(core: Core, slices: Slices): AsyncGenerator<Set<number>> {
  let candidates = new Set<number>()
  for await (const { id } of walkRows(core.overlay.store, actors, ['id'], {}, slices)) {
    candidates.add(id)
    if (candidates.size < CANDIDATES_MAX) continue
    yield candidates
    candidates = new Set()
  }
  yield candidates
}

/**
 * Removes from `candidates` what rows refer to, including rows that are put until the witness is
 * unset.
 */
async function withoutReferred(core: Core, slices: Slices, candidates: Set<number>): Promise<void> {
  const { overlay } = core
  const refer = ({ actor, endedBy }: Referring): void => {
    if (actor !== undefined) candidates.delete(actor)
    if (endedBy !== undefined) candidates.delete(endedBy)
  }
  overlay.witness = (_, row) => refer(row)
  for (const [collection] of referring) for (const row of overlay.unsettled(collection)) refer(row)
  for (const [collection, columns] of referring) {
    if (candidates.size === 0) return
    const fields = [...collection.fields.slice(0, collection.keyLength), ...columns] as never[]
    for await (const row of walkRows(overlay.store, collection, fields, {}, slices)) refer(row)
  }
}
