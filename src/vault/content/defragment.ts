// Rewrites chunks that were overwritten in small pieces as whole blocks while the vault is idle, so
// that reading a file does not get slower with every write. The content stays the same, so this
// makes no version.

import { FsError } from '../../base/errno.ts'
import { CHUNK_BYTES } from '../../base/limits.ts'
import type { ExtentRow } from '../../store/collections.ts'
import { takeBytes } from '../core/buffer-pool.ts'
import type { Core } from '../core/core.ts'
import { type Inode, isProvisional, newJournal } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import { isRecorded, recordedUntil } from '../tree/history-recording.ts'
import { findInode } from '../tree/inodes.ts'
import { prefetchInode } from '../tree/prefetch.ts'
import { readContent, toContent } from './content.ts'
import { chunkExtents, FRAGMENTS_MAX, place, sealExtents } from './extents.ts'

/** Rewrites one chunk with more than `max` extents. Returns false when nothing is left to do. */
export function defragmentNext(core: Core, max = FRAGMENTS_MAX): boolean {
  const [ino] = core.fragmented
  if (ino === undefined) return false
  const inode = findInode(core, ino)
  const chunk = inode === undefined ? undefined : fragmentedChunk(inode, max)
  if (inode === undefined || chunk === undefined || isProvisional(inode)) {
    core.fragmented.delete(ino)
    return core.fragmented.size > 0
  }
  try {
    rewriteChunk(core, inode, chunk, max)
  } catch (error) {
    if (!(error instanceof FsError)) throw error
    // Damaged content was logged when it was read, and stays as it is.
    core.fragmented.delete(ino)
  }
  return true
}

function fragmentedChunk(inode: Inode, max: number): number | undefined {
  for (const [chunk, extents] of inode.chunks) if (extents.length > max) return chunk
  return undefined
}

function rewriteChunk(core: Core, inode: Inode, chunk: number, max: number): void {
  prefetchInode(core, inode)
  const runs = runsOf(chunkExtents(core, inode, chunk))
  const contents = runs.map(({ from, to }) =>
    concat(readContent(core, inode, from, to - from), to - from),
  )
  // Where history is off, replaced extents end with the last recorded state.
  const recorded = isRecorded(core, inode) ? 0 : recordedUntil(core, inode.ino)
  for (const [index, { from, since }] of runs.entries()) {
    inode.journal = newJournal(undefined)
    place(core, inode, from, toContent(core, contents[index] as Uint8Array))
    // The new extent counts from the newest of those it joins: older states keep their own extents,
    // and that state's bytes are not kept twice.
    sealExtents(core, inode, Math.max(since, recorded))
  }
  inode.journal = undefined
  // With as many runs as extents, joining cannot help this chunk.
  if (runs.length > max) core.fragmented.delete(inode.ino)
}

interface Run {
  readonly from: number
  to: number
  /** The moment of its newest extent. */
  since: Moment
}

/** Ranges without holes. */
function runsOf(extents: readonly ExtentRow[]): Run[] {
  const runs: Run[] = []
  for (const { offset, length, since } of extents) {
    const last = runs[runs.length - 1]
    if (last?.to === offset && offset % CHUNK_BYTES !== 0) {
      last.to += length
      last.since = Math.max(last.since, since)
    } else runs.push({ from: offset, to: offset + length, since })
  }
  return runs
}

function concat(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = takeBytes(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
