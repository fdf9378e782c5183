// Gives a present file the content of a past state, sharing its blocks.

import { crc32 } from 'node:zlib'
import { EIO, fail } from '../../base/errno.ts'
import { CHUNK_BYTES } from '../../base/limits.ts'
import { type ExtentRow, extent, extentPast, type InodeRow } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { flushWrites } from '../content/content.ts'
import { place, scanExtents, sliceContent } from '../content/extents.ts'
import type { Core } from '../core/core.ts'
import { type Inode, isProvisional } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import type { Slices } from '../core/time-slices.ts'
import { extentsAt } from './timeline.ts'

/** As `extentsOf`, but asynchronous, so that other work can run between chunks. */
export async function* eachExtents(
  core: Core,
  row: InodeRow,
  moment: Moment,
): AsyncGenerator<ExtentRow[]> {
  for (let at = 0; at < row.size; ) {
    const from = at
    const next = await retryUntilLoaded(() => nextExtents(core, row, moment, from))
    if (next === undefined) return
    yield next.rows
    at = next.end
  }
}

/** The extents of a state by offset, whole chunks at a time; skips holes of any size. */
export function* extentsOf(core: Core, row: InodeRow, moment: Moment): Generator<ExtentRow[]> {
  for (let at = 0; at < row.size; ) {
    const next = nextExtents(core, row, moment, at)
    if (next === undefined) return
    yield next.rows
    at = next.end
  }
}

/** The extents of the first chunk from `at` on that ever had content, and the end of that chunk. */
function nextExtents(
  core: Core,
  row: InodeRow,
  moment: Moment,
  at: number,
): { rows: ExtentRow[]; end: number } | undefined {
  const next = nextOffset(core, row.ino, at)
  if (next === undefined || next >= row.size) return undefined
  const chunk = Math.floor(next / CHUNK_BYTES)
  return { rows: extentsAt(core, row.ino, chunk, moment), end: (chunk + 1) * CHUNK_BYTES }
}

/** The first offset from `at` on that ever had content. */
function nextOffset(core: Core, ino: number, at: number): number | undefined {
  const range = { gte: [ino, at], lt: [ino + 1], limit: 1 }
  const now = core.overlay.scan(extent, range)[0]?.offset
  const past = core.overlay.scan(extentPast, range)[0]?.offset
  return now === undefined || past === undefined ? (now ?? past) : Math.min(now, past)
}

/**
 * Gives `to`, which is provisional and empty, the content of `then`. Other work runs in between, so
 * `to` must not be visible yet. Throws EIO for damaged content.
 */
export async function shareContent(
  core: Core,
  then: InodeRow,
  moment: Moment,
  to: Inode,
  slices: Slices,
): Promise<void> {
  for await (const rows of eachExtents(core, then, moment)) {
    placeAll(core, then, rows, to)
    slices.changed(rows.length)
    await slices.turn()
  }
  to.size = then.size
}

function placeAll(core: Core, then: InodeRow, rows: readonly ExtentRow[], to: Inode): void {
  for (const row of rows) {
    // A copied extent would get a new checksum, which would make damaged bytes look sound.
    if (row.hash === '' && !isSound(row)) fail(EIO)
    const end = Math.min(row.offset + row.length, then.size)
    if (end > row.offset) place(core, to, row.offset, sliceContent(row, row.offset, end))
  }
}

function isSound({ data, length, crc }: ExtentRow): boolean {
  return data !== null && data.length === length && crc32(data) === crc
}

/**
 * True when `now` has the content of `then`. May be false for equal content: the same bytes can be
 * divided into extents differently.
 */
export function hasContent(core: Core, now: Inode, then: InodeRow, moment: Moment): boolean {
  if ((now.mode & ~0o7777) !== (then.mode & ~0o7777) || now.rdev !== then.rdev) return false
  if (isProvisional(now) || now.size !== then.size) return false
  if (now.ino === then.ino && now.versions === then.versions) return true
  flushWrites(core, now)
  const present = scanExtents(core, now.ino, 0, Number.MAX_SAFE_INTEGER)
  for (const rows of extentsOf(core, then, moment))
    for (const row of rows) {
      const its = present.next().value
      if (its === undefined || !isSame(row, its)) return false
    }
  return present.next().done === true
}

function isSame(row: ExtentRow, other: ExtentRow): boolean {
  return (
    row.offset === other.offset &&
    row.length === other.length &&
    row.hash === other.hash &&
    row.blockOffset === other.blockOffset &&
    Buffer.compare(row.data ?? new Uint8Array(), other.data ?? new Uint8Array()) === 0
  )
}
