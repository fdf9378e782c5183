// Walks everything below a directory, now or as of a moment, depth first and in byte order of the
// names. Reads only, one page of a directory at a time: other work runs between pages, and may
// change what is seen of the present.

import { isDirectory } from '../../base/mode.ts'
import type { EntryRow, InodeRow } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { type MeetingCheck, meetingCheck } from '../core/cycles.ts'
import type { TreeState } from './tree-state.ts'

/**
 * `path` is relative to the top, a byte string without a leading slash; '' for the top itself. It
 * is joined from its parts only when it is inspected, which takes time in its length; `name`, its
 * last part, and `depth`, the number of its parts, cost nothing. `row` is a copy.
 */
export interface Walked {
  readonly path: string
  readonly name: string
  readonly depth: number
  readonly row: InodeRow
}

interface OpenDirectory {
  readonly path: string
  readonly depth: number
  readonly ino: number
  /** The last name read; undefined before the first. */
  after: string | undefined
  found: Walked[]
  at: number
  isRead: boolean
}

const PAGE_NAMES = 200

/**
 * Walks `top`, a row of that state, and what is below it, without what `isSkipped` returns true
 * for; it is called in order for each inode below the top. A directory that several names lead to,
 * as in damaged rows, is visited once. Yields all that came of one read, at least one; the caller
 * lets other work run before it asks for more.
 */
export async function* walkTree(
  state: TreeState,
  top: InodeRow,
  isSkipped: (walked: Walked) => boolean,
): AsyncGenerator<readonly Walked[], undefined> {
  const first = { path: '', name: '', depth: 0, row: { ...top } }
  yield [first]
  const open = isDirectory(top.mode) ? [opened(first)] : []
  const isNew = meetingCheck(top.ino)
  for (let last = open[0]; last !== undefined; last = open[open.length - 1]) {
    const passed: Walked[] = []
    const below = await passTo(state, last, passed, isSkipped, isNew)
    if (passed.length > 0) yield passed
    if (below === undefined) open.pop()
    else open.push(below)
  }
  return undefined
}

/** Continues in a directory up to its next subdirectory, which is returned, or to its end. */
async function passTo(
  state: TreeState,
  directory: OpenDirectory,
  passed: Walked[],
  isSkipped: (walked: Walked) => boolean,
  isNew: MeetingCheck,
): Promise<OpenDirectory | undefined> {
  for (;;) {
    for (; directory.at < directory.found.length; ) {
      const next = directory.found[directory.at++] as Walked
      if (isDirectory(next.row.mode) && !isNew(next.row, directory.ino, next.name)) continue
      if (isSkipped(next)) continue
      passed.push(next)
      if (isDirectory(next.row.mode)) return opened(next)
    }
    if (directory.isRead) return undefined
    await readPage(state, directory)
  }
}

async function readPage(state: TreeState, directory: OpenDirectory): Promise<void> {
  const { ino, path, depth, after } = directory
  const entries = await retryUntilLoaded(() => state.entries(ino, after, PAGE_NAMES))
  const found: Walked[] = []
  // Continues after a Fault.
  let count = 0
  await retryUntilLoaded(() => {
    for (; count < entries.length; count++) {
      const { name, ino: its } = entries[count] as EntryRow
      const row = state.inode(its)
      if (row === undefined) continue
      found.push({ path: path === '' ? name : `${path}/${name}`, name, depth: depth + 1, row })
    }
  })
  directory.found = found
  directory.at = 0
  directory.after = entries[entries.length - 1]?.name
  directory.isRead = entries.length < PAGE_NAMES
}

function opened({ path, depth, row }: Walked): OpenDirectory {
  return { path, depth, ino: row.ino, after: undefined, found: [], at: 0, isRead: false }
}
