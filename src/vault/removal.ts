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

type Deletion = Pick<EntryPastRow, 'ino' | 'type' | 'until'>

/** The moment at which what a deleted name led to was last whole: of a directory, with everything that went with it. */
export function wholeBefore(core: Core, row: Deletion): Moment {
  return row.type === DIRECTORY ? removalStart(core, row) - 1 : row.until - 1
}

/** A directory of which the removal is followed back. */
interface Followed {
  readonly deletions: readonly Deletion[]
  at: number
  /** When its removal began, as far as is known. */
  start: Moment
}

/** Depth first and without recursion: trees may be deeper than the stack. */
function removalStart(core: Core, removed: Deletion): Moment {
  const path = [follow(core, removed)]
  for (;;) {
    const last = path[path.length - 1] as Followed
    const row = last.deletions[last.at++]
    if (row !== undefined && last.start - row.until <= PAUSE_MICROS) {
      if (row.type === DIRECTORY) path.push(follow(core, row))
      else last.start = Math.min(last.start, row.until)
      continue
    }
    path.pop()
    const above = path[path.length - 1]
    if (above === undefined) return last.start
    above.start = Math.min(above.start, last.start)
  }
}

function follow(core: Core, { ino, until }: Deletion): Followed {
  const deletions = deletionsIn(core, ino).filter((row) => row.until <= until)
  return { deletions, at: 0, start: until }
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
