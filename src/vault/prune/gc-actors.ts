// Freeing actors that no row refers to any more: mark and sweep beside requests, as gc-blocks.ts
// does it for blocks.

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

/** Numbers held in memory at a time: more are looked at in portions. */
const CANDIDATES_MAX = 250_000

interface Referring {
  readonly actor?: number
  readonly endedBy?: number
}

/** What refers to actors, and by which columns. */
const referring: readonly (readonly [Collection<object>, readonly string[]])[] = [
  [inodes, ['actor']],
  [inodePast, ['actor']],
  [version, ['actor']],
  // A name's past after its present: that is the way it goes.
  [entry, ['actor']],
  [entryPast, ['actor', 'endedBy']],
] as unknown as readonly (readonly [Collection<object>, readonly string[]])[]

/**
 * Deletes the rows of actors that made nothing that is left. One at a time (see maintenance.ts);
 * rejects with StoreError when a commit is refused.
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
        // The witness may have taken it out meanwhile.
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
 * Takes out what rows refer to; from here on until the witness goes, also what they come to refer
 * to.
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
