// When the removal of a directory began. `rm -r` empties a directory before it removes it: as of its deletion it held nothing,
// and what is wanted back is what it held before the first of its names went.

import { GenerationCache } from '../base/generation-cache.ts'
import { type EntryPastRow, entryPast, type Key } from '../store/collections.ts'
import type { Core } from './core.ts'
import { isDeleted } from './lifetimes.ts'
import type { Moment } from './moments.ts'

/** Deletions with a longer pause between them are not of one removal. */
const PAUSE_MICROS = 10_000_000
const PAGE_ROWS = 1024
const DIRECTORY = 4
/** Deeper trees than PATH_MAX allows are cut off. */
const DEPTH_MAX = 4096

type Deletion = Pick<EntryPastRow, 'ino' | 'type' | 'until'>

/** Removals whose beginning is kept in mind, at the least. */
const KNOWN_MIN = 10_000
const known = new WeakMap<Core, GenerationCache<string, Moment>>()

/** The moment at which what a deleted name led to was last whole: of a directory, with everything that went with it. */
export function wholeBefore(core: Core, row: Deletion): Moment {
  if (row.type !== DIRECTORY) return row.until - 1
  const starts = known.get(core) ?? remember(core)
  const key = `${row.ino}/${row.until}`
  // Each path into what was removed asks for it, and it takes a look at everything in there.
  const before = starts.get(key)
  if (before !== undefined) return before - 1
  const start = removalStart(core, row, 0)
  starts.set(key, start)
  return start - 1
}

/** What was removed stays as it was, but for what is let go of it. */
function remember(core: Core): GenerationCache<string, Moment> {
  const starts = new GenerationCache<string, Moment>(2 * KNOWN_MIN, () => 1)
  known.set(core, starts)
  core.overlay.watch(entryPast, (_key, row) => {
    if (row === undefined) starts.clear()
  })
  return starts
}

function removalStart(core: Core, { ino, until }: Deletion, depth: number): Moment {
  let start = until
  if (depth > DEPTH_MAX) return start
  for (const row of deletionsIn(core, ino)) {
    if (row.until > until) continue
    if (start - row.until > PAUSE_MICROS) break
    const began = row.type === DIRECTORY ? removalStart(core, row, depth + 1) : row.until
    if (began < start) start = began
  }
  return start
}

/** What was deleted in a directory, the latest first. */
function deletionsIn(core: Core, parent: number): Deletion[] {
  const found: Deletion[] = []
  for (let gte: Key = [parent]; ; ) {
    const rows = core.overlay.scan(entryPast, { gte, lt: [parent + 1], limit: PAGE_ROWS })
    for (const { ino, type, until, fate } of rows)
      if (isDeleted(fate)) found.push({ ino, type, until })
    const last = rows[rows.length - 1]
    if (last === undefined || rows.length < PAGE_ROWS)
      return found.sort((a, b) => b.until - a.until)
    gte = [parent, last.name, last.since + 1]
  }
}
