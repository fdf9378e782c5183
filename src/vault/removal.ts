// When the removal of a directory began. `rm -r` empties a directory before it removes it: as of its deletion it held nothing,
// and what is wanted back is what it held before the first of its names went.

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

/** The moment at which what a deleted name led to was last whole: of a directory, with everything that went with it. */
export function wholeBefore(core: Core, row: Deletion): Moment {
  return row.type === DIRECTORY ? removalStart(core, row, 0) - 1 : row.until - 1
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
