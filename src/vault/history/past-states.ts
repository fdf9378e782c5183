// A cache of past states of inodes, one for each inode: the one read last. Sealed states never
// change, so a state is kept with its extents, as an inode in memory is; only prune removes states
// (prune-inode.ts). Reads only.

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

/** With extents of more chunks than this, a state drops them all: they can be read again. */
const CHUNKS_MAX = 4096

/** The cached state as of a moment, if any. */
export function knownState(core: Core, ino: number, moment: Moment): PastState | undefined {
  const state = core.pasts.get(ino)
  return state !== undefined && state.row.since <= moment && moment < state.row.until
    ? state
    : undefined
}

/**
 * The past row as of a moment, or undefined. The caller has made the moment part of history
 * (`observe`), so that no later change overwrites it.
 */
export function pastRowAt(core: Core, ino: number, moment: Moment): InodePastRow | undefined {
  const [row] = core.overlay.scan(inodePast, {
    gte: [ino],
    lt: [ino, moment + 1],
    reverse: true,
    limit: 1,
  })
  if (row === undefined || row.until <= moment) return undefined
  // Not cached while the file is being changed: the end of its state is still unknown.
  if (row.until !== PROVISIONAL) core.pasts.set(ino, { row, chunks: new Map() })
  return row
}

/** Reads past states that will be needed soon into the cache, in one scan where that is cheaper. */
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

/** The extents of one chunk of a state, read by `load` where they are not cached. */
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
 * The common case: one past extent covers the whole chunk. Found by one seek, however long the
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
