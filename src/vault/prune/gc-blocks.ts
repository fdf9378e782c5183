// Freeing blocks that no extent uses any more, now or in the past: mark and sweep, without counts
// that could go wrong. Runs beside requests. What comes to be used meanwhile is seen by the
// overlay's witness; what was used before is durable when the walk begins, or in a layer that is
// looked at first.

import { block, type ExtentRow, extent, extentPast } from '../../store/collections.ts'
import type { Core } from '../core/core.ts'
import { walkRows } from '../core/rows.ts'
import { BLOCK_WEIGHT, type Slices } from '../core/time-slices.ts'

/** Hashes held in memory at a time, about 30 MiB: a larger vault is walked more than once. */
const CANDIDATES_MAX = 250_000

/** What is looked at: all blocks, or those that may have lost their last user. */
type Candidates = 'all' | Iterable<string>

/**
 * Deletes unused blocks and returns their number. One at a time (see maintenance.ts); rejects with
 * StoreError when a commit is refused.
 */
export async function collectBlocks(
  core: Core,
  slices: Slices,
  of: Candidates,
  dryRun = false,
): Promise<number> {
  await slices.settle()
  let freed = 0
  for await (const candidates of portions(core, slices, of)) {
    try {
      await withoutUsed(core, slices, candidates)
      for (const hash of candidates) {
        // Still a candidate after the turn: the witness takes out what was put during it.
        await slices.turn()
        if (!candidates.has(hash)) continue
        if (!dryRun) {
          if (!core.blocks.drop(hash)) continue
          core.overlay.delete(block, [hash])
          slices.changed(BLOCK_WEIGHT)
        }
        freed++
      }
    } finally {
      core.overlay.witness = undefined
    }
  }
  await slices.settle()
  return freed
}

async function* portions(core: Core, slices: Slices, of: Candidates): AsyncGenerator<Set<string>> {
  if (of !== 'all') {
    yield new Set(of)
    return
  }
  let candidates = new Set<string>()
  for await (const { hash } of walkRows(core.overlay.store, block, ['hash'], {}, slices)) {
    candidates.add(hash)
    if (candidates.size < CANDIDATES_MAX) continue
    yield candidates
    candidates = new Set()
  }
  yield candidates
}

/** Takes out what extents use; from here on until the witness goes, also what they come to use. */
async function withoutUsed(core: Core, slices: Slices, candidates: Set<string>): Promise<void> {
  const { overlay } = core
  overlay.witness = (_, row) => {
    if ('blockOffset' in row) candidates.delete((row as ExtentRow).hash)
  }
  for (const row of overlay.unsettled(extent)) candidates.delete(row.hash)
  for (const row of overlay.unsettled(extentPast)) candidates.delete(row.hash)
  if (candidates.size === 0) return
  const { store } = overlay
  for await (const row of walkRows(store, extent, ['ino', 'offset', 'hash'], {}, slices))
    candidates.delete(row.hash)
  const fields = ['ino', 'offset', 'since', 'hash'] as const
  for await (const row of walkRows(store, extentPast, fields, {}, slices))
    candidates.delete(row.hash)
}
