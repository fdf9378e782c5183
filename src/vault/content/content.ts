// Reading and writing the bytes of a file. New bytes wait in a write buffer by chunk until they are
// flushed to extents: when a chunk is full, a change is sealed or a batch is handed over.

import { EFBIG, EIO, fail } from '../../base/errno.ts'
import { CHUNK_BYTES, FILE_BYTES_MAX, INLINE_BYTES_MAX } from '../../base/limits.ts'
import { idempotent } from '../../base/step.ts'
import { block, type ExtentRow } from '../../store/collections.ts'
import { reserve } from '../core/charge.ts'
import type { Core } from '../core/core.ts'
import { type Inode, TRUNCATED, WRITTEN } from '../core/inode.ts'
import { copyBytes } from '../core/small-copies.ts'
import { type BufferedWrite, bufferWrite, cutWrites, mergedRuns } from '../core/write-buffer.ts'
import { begin } from '../tree/inodes.ts'
import {
  type Content,
  chunkExtents,
  cutChunk,
  isDamaged,
  place,
  scanExtents,
  sliceContent,
} from './extents.ts'
import { prefetchContent, prefetchFlush } from './prefetch.ts'

const zeros = new Uint8Array(CHUNK_BYTES)

/**
 * The bytes of [offset, offset + size), up to the end of the file, as pieces in order. They are
 * views, valid until the next change. Throws EIO where content is damaged or missing.
 */
export function readContent(
  core: Core,
  inode: Inode,
  offset: number,
  size: number,
): readonly Uint8Array[] {
  const end = Math.min(offset + size, inode.size)
  const parts: Uint8Array[] = []
  for (let at = offset; at < end; ) {
    const chunk = Math.floor(at / CHUNK_BYTES)
    const to = Math.min(end, (chunk + 1) * CHUNK_BYTES)
    const pieces = inode.writeBuffer?.get(chunk)
    const extents = chunkExtents(core, inode, chunk)
    if (pieces === undefined) readExtents(core, extents, at, to, parts)
    else readMixed(core, extents, pieces, at, to, parts)
    at = to
  }
  return parts
}

/**
 * Appends to `parts` the bytes of [from, to) that extents hold, with zeros for holes. Throws EIO
 * where they are damaged.
 */
export function readExtents(
  core: Core,
  extents: readonly ExtentRow[],
  from: number,
  to: number,
  parts: Uint8Array[],
): void {
  let at = from
  for (const row of extents) {
    const end = row.offset + row.length
    if (end <= at) continue
    if (row.offset >= to) break
    if (row.offset > at) {
      parts.push(zeros.subarray(0, row.offset - at))
      at = row.offset
    }
    const stop = Math.min(end, to)
    parts.push(bytesOf(core, row, at, stop))
    at = stop
  }
  if (at < to) parts.push(zeros.subarray(0, to - at))
}

/** The bytes of an extent within [from, to). */
function bytesOf(core: Core, row: ExtentRow, from: number, to: number): Uint8Array {
  const skipped = from - row.offset
  if (row.hash === '') {
    if (row.data === null || isDamaged(row)) fail(EIO)
    return row.data.subarray(skipped, skipped + to - from)
  }
  const start = row.blockOffset + skipped
  const bytes = core.blocks.load(row.hash).subarray(start, start + to - from)
  if (bytes.length < to - from) fail(EIO)
  return bytes
}

function readMixed(
  core: Core,
  extents: readonly ExtentRow[],
  pieces: readonly BufferedWrite[],
  from: number,
  to: number,
  parts: Uint8Array[],
): void {
  let at = from
  for (const { start, bytes } of pieces) {
    const end = start + bytes.length
    if (end <= at) continue
    if (start >= to) break
    if (start > at) {
      readExtents(core, extents, at, start, parts)
      at = start
    }
    const stop = Math.min(end, to)
    parts.push(bytes.subarray(at - start, stop - start))
    at = stop
  }
  if (at < to) readExtents(core, extents, at, to, parts)
}

/**
 * Bytes of [offset, end) that nothing covers yet: by so much the file grows when they are written.
 */
export function growthOf(core: Core, inode: Inode, offset: number, end: number): number {
  let bytes = Math.max(0, end - Math.max(offset, inode.size))
  const stop = Math.min(end, inode.size)
  for (let at = offset; at < stop; ) {
    const chunk = Math.floor(at / CHUNK_BYTES)
    const to = Math.min(stop, (chunk + 1) * CHUNK_BYTES)
    bytes += uncovered(
      chunkExtents(core, inode, chunk),
      inode.writeBuffer?.get(chunk) ?? [],
      at,
      to,
    )
    at = to
  }
  return bytes
}

/** Bytes of [from, to) in no extent and no buffered piece. */
function uncovered(
  extents: readonly ExtentRow[],
  pieces: readonly BufferedWrite[],
  from: number,
  to: number,
): number {
  // The common case: a rewrite of what was written in one piece.
  for (const { offset, length } of extents) if (offset <= from && offset + length >= to) return 0
  for (const { start, bytes } of pieces) if (start <= from && start + bytes.length >= to) return 0
  const ranges = [
    ...extents.map(({ offset, length }) => ({ start: offset, end: offset + length })),
    ...pieces.map(({ start, bytes }) => ({ start, end: start + bytes.length })),
  ]
  if (extents.length > 0 && pieces.length > 0) ranges.sort((a, b) => a.start - b.start)
  let bytes = 0
  let at = from
  for (const { start, end } of ranges) {
    if (end <= at) continue
    if (start >= to) break
    bytes += Math.max(0, start - at)
    at = end
  }
  return bytes + Math.max(0, to - at)
}

/** Writes bytes, which are copied. Throws EFBIG past FILE_BYTES_MAX. */
export function writeContent(core: Core, inode: Inode, offset: number, data: Uint8Array): void {
  const end = offset + data.length
  if (end > FILE_BYTES_MAX) fail(EFBIG)
  prefetchContent(core, inode, offset, end)
  const growth = growthOf(core, inode, offset, end)
  begin(core, inode)
  reserve(core, inode, growth)
  inode.change = WRITTEN
  inode.writeBuffer ??= new Map()
  core.dirty.add(inode)
  core.dirtyBytes += data.length
  for (let at = offset; at < end; ) {
    const chunk = Math.floor(at / CHUNK_BYTES)
    const to = Math.min(end, (chunk + 1) * CHUNK_BYTES)
    const bytes = copyBytes(data.subarray(at - offset, to - offset))
    let pieces = inode.writeBuffer.get(chunk)
    if (pieces === undefined) {
      pieces = []
      inode.writeBuffer.set(chunk, pieces)
    }
    bufferWrite(pieces, { start: at, bytes })
    at = to
  }
  if (end > inode.size) inode.size = end
  // Flushed early, so that full chunks are hashed while the writer goes on.
  for (let at = offset; at < end; ) {
    const chunk = Math.floor(at / CHUNK_BYTES)
    const pieces = inode.writeBuffer.get(chunk)
    if (pieces !== undefined && coversChunk(pieces)) spillChunk(core, inode, chunk, pieces)
    at = (chunk + 1) * CHUNK_BYTES
  }
}

function coversChunk(pieces: readonly BufferedWrite[]): boolean {
  let length = 0
  for (const piece of pieces) length += piece.bytes.length
  return length === CHUNK_BYTES
}

function spillChunk(
  core: Core,
  inode: Inode,
  chunk: number,
  pieces: readonly BufferedWrite[],
): void {
  inode.writeBuffer?.delete(chunk)
  const { allocated } = inode
  for (const { start, bytes } of mergedRuns(pieces)) {
    place(core, inode, start, toContent(core, bytes))
  }
  reserve(core, inode, allocated - inode.allocated)
}

/** Turns bytes into the content of an extent, inline or a block, and takes ownership of them. */
export function toContent(core: Core, bytes: Uint8Array): Content {
  const { length } = bytes
  if (length <= INLINE_BYTES_MAX) return { length, hash: '', blockOffset: 0, data: bytes }
  const { hash, row } = core.blocks.add(bytes)
  if (row !== undefined) core.overlay.put(block, row)
  return { length, hash, blockOffset: 0, data: null }
}

/** Turns all buffered pieces of an inode into extents. */
export function flushWrites(core: Core, inode: Inode): void {
  const { writeBuffer: pages } = inode
  if (pages === undefined) return
  prefetchFlush(core, inode)
  // The content stays the same, and a second run finds nothing to flush.
  idempotent(() => {
    for (const [chunk, pieces] of pages) spillChunk(core, inode, chunk, pieces)
    inode.writeBuffer = undefined
    reserve(core, inode, -inode.reserved)
    core.dirty.delete(inode)
  })
}

/** Sets the size; an extension reads as zeros. Throws EFBIG past FILE_BYTES_MAX. */
export function resizeContent(core: Core, inode: Inode, size: number): void {
  if (size > FILE_BYTES_MAX) fail(EFBIG)
  prefetchContent(core, inode, size, Number.POSITIVE_INFINITY)
  begin(core, inode)
  if (size < inode.size) unmap(core, inode, size, Number.POSITIVE_INFINITY)
  // An emptied file is usually written next: seal.ts waits before it seals a bare truncation.
  if (size > 0 || inode.change === WRITTEN) inode.change = size > 0 ? WRITTEN : TRUNCATED
  else inode.change = TRUNCATED
  inode.size = size
}

/** Makes [offset, end) a hole, without changing the size. */
export function punchContent(core: Core, inode: Inode, offset: number, end: number): void {
  prefetchContent(core, inode, offset, end)
  begin(core, inode)
  inode.change = WRITTEN
  unmap(core, inode, offset, Math.min(end, inode.size))
}

function unmap(core: Core, inode: Inode, from: number, to: number): void {
  if (inode.writeBuffer !== undefined)
    for (const [chunk, pieces] of inode.writeBuffer) {
      cutWrites(pieces, from, to)
      if (pieces.length === 0) inode.writeBuffer.delete(chunk)
    }
  // What is still reserved may be too much, until it is flushed.
  if (inode.writeBuffer?.size === 0) reserve(core, inode, -inode.reserved)
  const stop = Math.min(to, inode.size)
  if (inode.windows === undefined || inode.size <= CHUNK_BYTES) {
    for (const chunk of mappedChunks(inode, from, stop)) cutChunk(core, inode, chunk, from, to)
    return
  }
  const first = Math.floor(from / CHUNK_BYTES)
  cutChunk(core, inode, first, from, to)
  let last = first
  for (const row of [...scanExtents(core, inode.ino, (first + 1) * CHUNK_BYTES, stop)]) {
    const chunk = Math.floor(row.offset / CHUNK_BYTES)
    if (chunk !== last) cutChunk(core, inode, chunk, from, to)
    last = chunk
  }
}

function mappedChunks(inode: Inode, from: number, to: number): number[] {
  const first = Math.floor(from / CHUNK_BYTES)
  const last = Math.ceil(to / CHUNK_BYTES)
  if (last - first === 1) return [first]
  return [...inode.chunks.keys()].filter((chunk) => chunk >= first && chunk < last)
}

/** By how many bytes `copyContent` will increase what is covered of the target. */
export function copyGrowth(
  core: Core,
  from: Inode,
  fromOffset: number,
  to: Inode,
  toOffset: number,
  length: number,
): number {
  const count = Math.min(length, Math.max(0, from.size - fromOffset))
  return (
    coveredOf(core, from, fromOffset, fromOffset + count) -
    coveredOf(core, to, toOffset, toOffset + count)
  )
}

/** Bytes of [offset, end) that extents cover, once buffered writes are flushed. */
export function coveredOf(core: Core, inode: Inode, offset: number, end: number): number {
  flushWrites(core, inode)
  let bytes = 0
  const first = Math.floor(offset / CHUNK_BYTES) * CHUNK_BYTES
  for (const row of scanExtents(core, inode.ino, first, end))
    bytes += Math.max(0, Math.min(end, row.offset + row.length) - Math.max(offset, row.offset))
  return bytes
}

/**
 * Copies a range by sharing its content; ranges of one file must not overlap. Returns the bytes
 * copied: fewer where the range has more than `extentsMax` extents. Throws EFBIG past
 * FILE_BYTES_MAX.
 */
export function copyContent(
  core: Core,
  from: Inode,
  fromOffset: number,
  to: Inode,
  toOffset: number,
  length: number,
  extentsMax = Number.POSITIVE_INFINITY,
): number {
  let count = Math.min(length, Math.max(0, from.size - fromOffset))
  if (toOffset + count > FILE_BYTES_MAX) fail(EFBIG)
  if (count === 0) return 0
  flushWrites(core, from)
  flushWrites(core, to)
  const first = Math.floor(fromOffset / CHUNK_BYTES) * CHUNK_BYTES
  let stop = fromOffset + count
  const shift = toOffset - fromOffset
  const rows: ExtentRow[] = []
  for (const row of scanExtents(core, from.ino, first, stop)) {
    if (row.offset + row.length <= fromOffset) continue
    if (rows.length >= extentsMax) {
      stop = row.offset
      count = stop - fromOffset
      break
    }
    rows.push(row)
  }
  prefetchContent(core, to, toOffset, toOffset + count)
  begin(core, to)
  to.change = WRITTEN
  if (toOffset < to.size) unmap(core, to, toOffset, toOffset + count)
  for (const row of rows) {
    let at = Math.max(row.offset, fromOffset)
    const end = Math.min(row.offset + row.length, stop)
    while (at < end) {
      const target = at + shift
      const room = (Math.floor(target / CHUNK_BYTES) + 1) * CHUNK_BYTES - target
      const upTo = Math.min(end, at + room)
      place(core, to, target, sliceContent(row, at, upTo))
      at = upTo
    }
  }
  if (toOffset + count > to.size) to.size = toOffset + count
  return count
}
