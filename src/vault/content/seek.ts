// Where a file has data and holes: lseek(2) with SEEK_DATA and SEEK_HOLE. Any number of extents may
// precede a hole, so the search runs in slices, and reads no bytes of content.

import { ENXIO, fail } from '../../base/errno.ts'
import { CHUNK_BYTES } from '../../base/limits.ts'
import { keptByStep } from '../../base/step.ts'
import { extent } from '../../store/collections.ts'
import { pauseWhenDue } from '../../store/pause.ts'
import type { Core } from '../core/core.ts'
import type { Inode } from '../core/inode.ts'
import { flushWrites } from './content.ts'

/** Extents read at first: usually they are enough. */
const PAGE_ROWS = 16
const PAGE_ROWS_MAX = 1024

/**
 * The next offset >= `offset` that holds data or, without `data`, lies in a hole; the end of the
 * file counts as one. Throws ENXIO past the end.
 */
export function seekContent(core: Core, inode: Inode, offset: number, data: boolean): number {
  if (offset >= inode.size || offset < 0) fail(ENXIO)
  flushWrites(core, inode)
  const key = `seek\0${inode.ino}/${offset}/${data}`
  const seek = keptByStep(key, () => ({
    from: Math.floor(offset / CHUNK_BYTES) * CHUNK_BYTES,
    /** Everything from `offset` up to here is data. */
    at: offset,
    pageRows: PAGE_ROWS,
  }))
  for (;;) {
    pauseWhenDue()
    const rows = spansIn(core, inode, seek.from, seek.pageRows)
    for (const row of rows) {
      const end = row.offset + row.length
      if (end <= seek.at) continue
      if (data) return Math.max(row.offset, seek.at)
      if (row.offset > seek.at) return seek.at
      seek.at = end
    }
    const last = rows.length < seek.pageRows ? undefined : rows.at(-1)
    if (last === undefined) break
    seek.from = last.offset + 1
    seek.pageRows = Math.min(seek.pageRows * 4, PAGE_ROWS_MAX)
  }
  if (data) fail(ENXIO)
  return Math.min(seek.at, inode.size)
}

/** Offsets and lengths of the next extents. */
function spansIn(
  { overlay }: Core,
  { ino, size }: Inode,
  from: number,
  limit: number,
): readonly { readonly offset: number; readonly length: number }[] {
  const range = { gte: [ino, from], lt: [ino, Math.max(from, size)], limit }
  return overlay.settled(extent, ino)
    ? overlay.store.project(extent, ['offset', 'length'], range)
    : overlay.scan(extent, range)
}
