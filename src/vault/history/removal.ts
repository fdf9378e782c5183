// When the removal of a directory began. `rm -r` empties a directory before it removes it, so as of
// its deletion it was empty; what users want back is what it held before its first name was
// deleted.

import { GenerationCache } from '../../base/generation-cache.ts'
import { DT_DIR } from '../../base/mode.ts'
import { type EntryPastRow, entryPast } from '../../store/collections.ts'
import { rowsOn, scanPages } from '../../store/pages.ts'
import type { Core } from '../core/core.ts'
import type { Moment } from '../core/moment.ts'
import { isDeleted } from './lifetimes.ts'

/** A longer pause between deletions separates two removals. */
const PAUSE_MICROS = 10_000_000
const PAGE_ROWS = 1024

type Deletion = Pick<EntryPastRow, 'ino' | 'type' | 'until'>

/** Minimum number of removals whose start is cached, and number of searches kept unfinished. */
const KNOWN_MIN = 10_000
const UNDERWAY_MAX = 16

interface Removals {
  readonly starts: GenerationCache<string, Moment>
  /** Searches that were interrupted by a Fault, to be continued when the caller retries. */
  readonly underway: Map<string, Way>
}

interface Way {
  readonly path: Followed[]
  /** Deletions of directories that were followed; rows of a damaged vault may form a cycle. */
  readonly met: Set<string>
}
const known = new WeakMap<Core, Removals>()

/**
 * The last moment at which a deleted entry was whole: for a directory, with everything that was
 * removed along with it.
 */
export function wholeBefore(core: Core, row: Deletion): Moment {
  if (row.type !== DT_DIR) return row.until - 1
  const { starts, underway } = known.get(core) ?? remember(core)
  const key = keyOf(row)
  // Cached: it is needed for each path below the removed directory.
  const before = starts.get(key)
  if (before !== undefined) return before - 1
  const way = underway.get(key) ?? { path: [follow(core, row)], met: new Set([key]) }
  underway.set(key, way)
  if (underway.size > UNDERWAY_MAX) underway.delete(underway.keys().next().value ?? key)
  const start = removalStart(core, way)
  underway.delete(key)
  starts.set(key, start)
  return start - 1
}

/** The start of a removal never changes, except when prune deletes past rows. */
function remember(core: Core): Removals {
  const removals: Removals = {
    starts: new GenerationCache(2 * KNOWN_MIN, () => 1),
    underway: new Map(),
  }
  known.set(core, removals)
  core.overlay.watch(entryPast, (_key, row) => {
    if (row !== undefined) return
    removals.starts.clear()
    removals.underway.clear()
  })
  return removals
}

function keyOf({ ino, until }: Deletion): string {
  return `${ino}/${until}`
}

/** A directory whose removal is traced back. */
interface Followed {
  readonly deletions: readonly Deletion[]
  at: number
  /** When its removal began, as far as is known so far. */
  start: Moment
}

/** Depth first, without recursion: trees may be deeper than the stack. Continues after a Fault. */
function removalStart(core: Core, { path, met }: Way): Moment {
  for (;;) {
    const last = path[path.length - 1] as Followed
    const row = last.deletions[last.at]
    if (row !== undefined && last.start - row.until <= PAUSE_MICROS) {
      if (row.type !== DT_DIR) last.start = Math.min(last.start, row.until)
      else if (!met.has(keyOf(row))) {
        path.push(follow(core, row))
        met.add(keyOf(row))
      }
      last.at++
      continue
    }
    const above = path[path.length - 2]
    if (above === undefined) return last.start
    path.pop()
    above.start = Math.min(above.start, last.start)
  }
}

function follow(core: Core, { ino, until }: Deletion): Followed {
  const deletions = deletionsIn(core, ino).filter((row) => row.until <= until)
  return { deletions, at: 0, start: until }
}

/** The deletions in a directory, latest first. */
function deletionsIn(core: Core, parent: number): Deletion[] {
  const found: Deletion[] = []
  const range = { gte: [parent], lt: [parent + 1] }
  for (const row of rowsOn(scanPages(core.overlay, entryPast, range, PAGE_ROWS)))
    if (isDeleted(row.fate)) found.push({ ino: row.ino, type: row.type, until: row.until })
  return found.sort((a, b) => b.until - a.until)
}
