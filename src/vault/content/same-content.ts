// Whether a change of content changed any byte: a file that was saved again unchanged is reverted
// at the seal, so that it makes no version and shares every row with the one before.

import { FsError } from '../../base/errno.ts'
import { CHUNK_BYTES } from '../../base/limits.ts'
import { type ExtentRow, extent, extentPast, PROVISIONAL } from '../../store/collections.ts'
import { allocate } from '../core/charge.ts'
import type { Core } from '../core/core.ts'
import type { Inode } from '../core/inode.ts'
import { readExtents } from './content.ts'
import { chunkExtents } from './extents.ts'

/** True when a provisional inode holds, byte for byte, what it held when it was last sealed. */
export function isSameContent(core: Core, inode: Inode): boolean {
  const { journal } = inode
  if (journal?.before === undefined || journal.before.size !== inode.size) return false
  const past = pastByChunk(core, inode)
  const chunks = new Set(past.keys())
  for (const offset of journal.current) chunks.add(Math.floor(offset / CHUNK_BYTES))
  for (const chunk of chunks) {
    const after = chunkExtents(core, inode, chunk)
    const before = after
      .filter((row) => row.since !== PROVISIONAL)
      .concat(past.get(chunk) ?? [])
      .sort((a, b) => a.offset - b.offset)
    if (!isSameChunk(core, before, after, chunk, inode.size)) return false
  }
  return true
}

function pastByChunk(core: Core, inode: Inode): Map<number, ExtentRow[]> {
  const found = new Map<number, ExtentRow[]>()
  for (const [offset, since] of inode.journal?.past ?? []) {
    const row = core.overlay.get(extentPast, [inode.ino, offset, since])
    if (row?.until !== PROVISIONAL) continue
    const chunk = Math.floor(offset / CHUNK_BYTES)
    const rows = found.get(chunk)
    if (rows === undefined) found.set(chunk, [row])
    else rows.push(row)
  }
  return found
}

function isSameChunk(
  core: Core,
  before: readonly ExtentRow[],
  after: readonly ExtentRow[],
  chunk: number,
  size: number,
): boolean {
  const alike =
    before.length === after.length &&
    before.every((row, at) => isSameExtent(row, after[at] as ExtentRow))
  if (alike) return true
  const from = chunk * CHUNK_BYTES
  const to = Math.min(size, from + CHUNK_BYTES)
  try {
    return bytesOf(core, before, from, to).equals(bytesOf(core, after, from, to))
  } catch (error) {
    // Damaged content counts as different.
    if (error instanceof FsError) return false
    throw error
  }
}

function isSameExtent(a: ExtentRow, b: ExtentRow): boolean {
  if (a.offset !== b.offset || a.length !== b.length) return false
  if (a.hash !== b.hash || a.blockOffset !== b.blockOffset || a.crc !== b.crc) return false
  if (a.data === null || b.data === null) return a.data === b.data
  return Buffer.compare(a.data, b.data) === 0
}

function bytesOf(core: Core, rows: readonly ExtentRow[], from: number, to: number): Buffer {
  const parts: Uint8Array[] = []
  readExtents(core, rows, from, to, parts)
  return Buffer.concat(parts)
}

/** Puts the sealed extents back in place of the provisional ones. */
export function takeBack(core: Core, inode: Inode): void {
  const { ino, journal } = inode
  if (journal?.before === undefined) return
  for (const offset of journal.current) core.overlay.delete(extent, [ino, offset])
  for (const [offset, since] of journal.past) {
    const row = core.overlay.get(extentPast, [ino, offset, since])
    if (row?.until !== PROVISIONAL) continue
    const { until: _, ...present } = row
    core.overlay.delete(extentPast, [ino, offset, since])
    core.overlay.put(extent, present)
  }
  allocate(core, inode, journal.before.allocated - inode.allocated)
  // Extents are loaded again when they are needed.
  inode.chunks = new Map()
  inode.windows = new Set()
}
