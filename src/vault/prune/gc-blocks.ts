// Frees blocks that no extent uses any more, present or past: mark and sweep, without reference
// counts that could be wrong. Runs alongside requests: the overlay's witness sees what comes into
// use meanwhile; what was in use before is durable when the walk begins, or in a layer that is
// searched first.

import { block, type ExtentRow, extent, extentPast } from '../../store/collections.ts'
import type { Core } from '../core/core.ts'
import { walkRows } from '../core/rows.ts'
import { BLOCK_WEIGHT, type Slices } from '../core/time-slices.ts'

/** Hashes held in memory at a time, about 30 MiB: a vault with more is walked several times. */
const CANDIDATES_MAX = 250_000

/** Which blocks to check: all, or those that may be unreferenced. */
type Candidates = 'all' | Iterable<string>

/**
 * Deletes unused blocks and returns their number. Only one run at a time (see maintenance.ts);
 * rejects with StoreError when a commit is refused.
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
        // Checked after the turn: the witness removes what was put during it.
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

/** Removes from `candidates` what extents use, including those put until the witness is unset. */
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
