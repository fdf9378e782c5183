// The rows that map a file's bytes to content, chunk by chunk: loads them in windows, cuts them
// where newer bytes go, and keeps sealed ones as past rows. See ExtentRow for the meaning of one
// extent.

import { crc32 } from 'node:zlib'
import { CHUNK_BYTES } from '../../base/limits.ts'
import { log } from '../../base/log.ts'
import { type ExtentRow, extent, extentPast, PROVISIONAL } from '../../store/collections.ts'
import { rowsOn, scanPages } from '../../store/pages.ts'
import { allocate } from '../core/charge.ts'
import type { Core } from '../core/core.ts'
import type { Inode } from '../core/inode.ts'
import { isRecorded, recordedUntil, suspectBlock } from '../tree/history-recording.ts'

/** Chunks whose extents are loaded together: 8 MiB of a file. */
const WINDOW_CHUNKS = 64
const WINDOW_BYTES = WINDOW_CHUNKS * CHUNK_BYTES
/** With more chunks in memory than this, a file drops them all: they can be loaded again. */
const CHUNKS_MAX = 16384
const PAGE_ROWS = 4096
/** A chunk with more extents is rewritten while the vault is idle (defragment.ts). */
export const FRAGMENTS_MAX = 32
/** `crc` of an inline extent found damaged: larger than any CRC-32, so it never matches. */
const DAMAGED = 2 ** 32

/** The extents of one chunk in order of offset. The array is live: only this file changes it. */
export function chunkExtents(core: Core, inode: Inode, chunk: number): readonly ExtentRow[] {
  return loadedChunk(core, inode, chunk) ?? []
}

function loadedChunk(core: Core, inode: Inode, chunk: number): ExtentRow[] | undefined {
  const { windows } = inode
  if (windows !== undefined) {
    const window = Math.floor(chunk / WINDOW_CHUNKS)
    if (!windows.has(window)) loadWindow(core, inode, windows, window)
  }
  return inode.chunks.get(chunk)
}

function loadWindow(core: Core, inode: Inode, windows: Set<number>, window: number): void {
  if (inode.chunks.size > CHUNKS_MAX) {
    inode.chunks.clear()
    windows.clear()
  }
  let cost = 0
  for (const row of scanExtents(
    core,
    inode.ino,
    window * WINDOW_BYTES,
    (window + 1) * WINDOW_BYTES,
  )) {
    const chunk = Math.floor(row.offset / CHUNK_BYTES)
    const list = inode.chunks.get(chunk)
    if (list === undefined) inode.chunks.set(chunk, [row])
    else list.push(row)
    cost += 160 + (row.data?.length ?? 0)
    verifyInline(row)
  }
  windows.add(window)
  core.inodes.grow(cost)
  noteFragments(core, inode)
}

/** Current extents of [from, to), read in pages, so that files of any size can be walked. */
export function scanExtents(
  core: Core,
  ino: number,
  from: number,
  to: number,
): Generator<ExtentRow> {
  return rowsOn(scanPages(core.overlay, extent, { gte: [ino, from], lt: [ino, to] }, PAGE_ROWS))
}

function noteFragments(core: Core, inode: Inode): void {
  for (const extents of inode.chunks.values())
    if (extents.length > FRAGMENTS_MAX) {
      core.fragmented.add(inode.ino)
      return
    }
}

/** Marks an inline extent whose bytes do not match their checksum, and logs it. */
export function verifyInline(row: ExtentRow): void {
  if (row.hash !== '' || row.data === null) return
  if (row.data.length === row.length && crc32(row.data) === row.crc) return
  log(
    'error',
    `inode ${row.ino}: the ${row.length} bytes at ${row.offset} do not match their checksum and are answered with EIO`,
  )
  row.crc = DAMAGED
}

/** True for an inline extent whose bytes failed their checksum. */
export function isDamaged(row: ExtentRow): boolean {
  return row.crc === DAMAGED
}

/** Content for `place`: bytes, or a part of a stored block. */
export interface Content {
  readonly length: number
  readonly hash: string
  readonly blockOffset: number
  readonly data: Uint8Array | null
}

/**
 * Maps [offset, offset + content.length), which lies in one chunk, to new content. The inode must
 * be provisional.
 */
export function place(core: Core, inode: Inode, offset: number, content: Content): void {
  const end = offset + content.length
  const chunk = Math.floor(offset / CHUNK_BYTES)
  cutChunk(core, inode, chunk, offset, end)
  const row = makeRow(inode.ino, offset, content)
  let list = inode.chunks.get(chunk)
  if (list === undefined) {
    list = []
    inode.chunks.set(chunk, list)
  }
  let at = list.length
  while (at > 0 && (list[at - 1] as ExtentRow).offset > offset) at--
  list.splice(at, 0, row)
  putProvisional(core, inode, row)
  allocate(core, inode, content.length)
}

function makeRow(ino: number, offset: number, content: Content): ExtentRow {
  const { length, hash, blockOffset, data } = content
  const crc = data === null ? 0 : crc32(data)
  return { ino, offset, length, hash, blockOffset, crc, data, since: PROVISIONAL }
}

/** The part of an extent that covers [from, to), as content for another place. */
export function sliceContent(row: ExtentRow, from: number, to: number): Content {
  const skipped = from - row.offset
  return {
    length: to - from,
    hash: row.hash,
    blockOffset: row.hash === '' ? 0 : row.blockOffset + skipped,
    data: row.data === null ? null : row.data.subarray(skipped, skipped + to - from),
  }
}

/** Unmaps [from, to) of one chunk, leaving a hole. The inode must be provisional. */
export function cutChunk(core: Core, inode: Inode, chunk: number, from: number, to: number): void {
  const list = loadedChunk(core, inode, chunk)
  if (list === undefined) return
  for (let at = list.length - 1; at >= 0; at--) {
    const row = list[at] as ExtentRow
    const end = row.offset + row.length
    if (end <= from) break
    if (row.offset >= to) continue
    retire(core, inode, row)
    allocate(core, inode, Math.max(row.offset, from) - Math.min(end, to))
    const kept: ExtentRow[] = []
    if (row.offset < from) kept.push(cutRow(inode.ino, row, row.offset, from))
    if (end > to) kept.push(cutRow(inode.ino, row, to, end))
    list.splice(at, 1, ...kept)
    for (const left of kept) putProvisional(core, inode, left)
  }
  if (list.length === 0) inode.chunks.delete(chunk)
}

function cutRow(ino: number, row: ExtentRow, from: number, to: number): ExtentRow {
  const cut = makeRow(ino, from, sliceContent(row, from, to))
  // Damaged bytes stay damaged: a new checksum would declare them sound.
  if (isDamaged(row)) cut.crc = DAMAGED
  return cut
}

function retire(core: Core, inode: Inode, row: ExtentRow): void {
  const { ino, offset } = row
  if (row.since === PROVISIONAL) {
    inode.journal?.current.delete(offset)
    if (row.hash !== '') suspectBlock(core, row.hash)
  } else if (inode.journal?.before === undefined && !isRecorded(core, inode)) {
    const until = recordedUntil(core, ino)
    if (row.since < until) core.overlay.put(extentPast, { ...row, until })
    else if (row.hash !== '') suspectBlock(core, row.hash)
  } else {
    core.overlay.put(extentPast, { ...row, until: PROVISIONAL })
    inode.journal?.past.push([offset, row.since])
  }
  core.overlay.delete(extent, [ino, offset])
}

function putProvisional(core: Core, inode: Inode, row: ExtentRow): void {
  inode.journal?.current.add(row.offset)
  core.overlay.put(extent, row)
}

/**
 * Gives all provisional extents of an inode their moment, and ends those they replaced; a replaced
 * extent that would not have lived until then is deleted.
 */
export function sealExtents(core: Core, inode: Inode, moment: number): void {
  const { journal, ino } = inode
  if (journal === undefined) return
  if (journal.current.size > FRAGMENTS_MAX || journal.past.length > 0) noteFragments(core, inode)
  for (const offset of journal.current) {
    const chunk = Math.floor(offset / CHUNK_BYTES)
    const list = inode.chunks.get(chunk)
    const at = list?.findIndex((row) => row.offset === offset) ?? -1
    const row = at >= 0 ? list?.[at] : core.overlay.get(extent, [ino, offset])
    if (row === undefined) continue
    const sealed = { ...row, since: moment }
    if (list !== undefined && at >= 0) list[at] = sealed
    core.overlay.put(extent, sealed)
  }
  for (const [offset, since] of journal.past) {
    const past = core.overlay.get(extentPast, [ino, offset, since])
    if (past?.until !== PROVISIONAL) continue
    if (since < moment) core.overlay.put(extentPast, { ...past, until: moment })
    else {
      core.overlay.delete(extentPast, [ino, offset, since])
      if (past.hash !== '') suspectBlock(core, past.hash)
    }
  }
}
