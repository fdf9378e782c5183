// Former states of inodes as they were read of late, the newest read of each. What is sealed never
// changes, so that a state is kept with the extents that were read of it, as a live inode is; prune
// alone takes states away (prune-inode.ts). Reads only.

import { CHUNK_BYTES } from '../../base/limits.ts'
import {
  type ExtentRow,
  extentPast,
  type InodePastRow,
  inodePast,
  PROVISIONAL,
} from '../../store/collections.ts'
import { verifyInline } from '../content/extents.ts'
import type { Core } from '../core/core.ts'
import type { Moment } from '../core/moment.ts'
import { costOfExtents, type PastState } from '../core/past-state.ts'
import { neighboursOf } from '../tree/neighbours.ts'

/** A state that knows extents of more chunks forgets them: they can be read again. */
const CHUNKS_MAX = 4096

/** The state of a moment if it was read before. */
export function knownState(core: Core, ino: number, moment: Moment): PastState | undefined {
  const state = core.pasts.get(ino)
  return state !== undefined && state.row.since <= moment && moment < state.row.until
    ? state
    : undefined
}

/**
 * The past row that holds a moment, or undefined. The caller has seen to it that no later change
 * overwrites it.
 */
export function pastRowAt(core: Core, ino: number, moment: Moment): InodePastRow | undefined {
  const [row] = core.overlay.scan(inodePast, {
    gte: [ino],
    lt: [ino, moment + 1],
    reverse: true,
    limit: 1,
  })
  if (row === undefined || row.until <= moment) return undefined
  // While its file is being changed nobody knows how long a state lasted.
  if (row.until !== PROVISIONAL) core.pasts.set(ino, { row, chunks: new Map() })
  return row
}

/**
 * Reads former states that are wanted soon, together where that is cheaper, for `knownState` to
 * find them.
 */
export function readAhead<T>(
  core: Core,
  items: readonly T[],
  wantedOf: (item: T) => { readonly ino: number; readonly moment: Moment },
): void {
  const wanted = items
    .map(wantedOf)
    .filter(({ ino, moment }) => knownState(core, ino, moment) === undefined)
  const rows = neighboursOf(
    core,
    inodePast,
    inodePast.fields,
    wanted.map(({ ino }) => ino),
  )
  for (const { ino, moment } of wanted) {
    const row = rows.get(ino)?.find((its) => its.since <= moment && moment < its.until)
    if (row !== undefined && row.until !== PROVISIONAL)
      core.pasts.set(ino, { row, chunks: new Map() })
  }
}

/** The extents of one chunk of a state, read by `load` where they are not known. */
export function extentsOf(
  core: Core,
  state: PastState,
  chunk: number,
  load: () => readonly ExtentRow[],
): readonly ExtentRow[] {
  const { chunks, row } = state
  const known = chunks.get(chunk)
  if (known !== undefined) return known
  const extents = wholeExtent(core, row, chunk) ?? load()
  if (chunks.size >= CHUNKS_MAX) chunks.clear()
  chunks.set(chunk, extents)
  core.pasts.grow(costOfExtents(extents))
  return extents
}

/**
 * As a rule one former extent is all there is of a chunk: found by one seek, however long the
 * file's history is.
 */
function wholeExtent(core: Core, row: InodePastRow, chunk: number): ExtentRow[] | undefined {
  const { ino, since, size } = row
  const from = chunk * CHUNK_BYTES
  const [extent] = core.overlay.scan(extentPast, {
    gte: [ino, from],
    lt: [ino, from, since + 1],
    reverse: true,
    limit: 1,
  })
  if (extent === undefined || extent.until <= since) return undefined
  if (extent.length < Math.min(CHUNK_BYTES, size - from)) return undefined
  verifyInline(extent)
  return [extent]
}
