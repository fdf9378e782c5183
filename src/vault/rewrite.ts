// Files that were overwritten in small pieces are rewritten chunk by chunk into whole blocks when the vault is quiet, so
// that reading them does not slow down with their history. The content is the same: no version is made.

import { FsError } from '../base/errno.ts'
import { CHUNK_BYTES } from '../base/limits.ts'
import type { ExtentRow } from '../store/collections.ts'
import { readContent, toContent } from './content.ts'
import type { Core } from './core.ts'
import { chunkExtents, FRAGMENTS_MAX, place, sealExtents } from './extents.ts'
import { type Inode, isProvisional, newJournal } from './inode.ts'
import { findInode } from './inodes.ts'
import { readyInode } from './ready.ts'
import { takeBytes } from './slots.ts'

/** Rewrites one chunk of one fragmented file. Returns false when there is nothing to do. */
export function rewriteNext(core: Core): boolean {
  const [ino] = core.fragmented
  if (ino === undefined) return false
  const inode = findInode(core, ino)
  const chunk = inode === undefined ? undefined : fragmentedChunk(inode)
  if (inode === undefined || chunk === undefined || isProvisional(inode)) {
    core.fragmented.delete(ino)
    return core.fragmented.size > 0
  }
  try {
    rewriteChunk(core, inode, chunk)
  } catch (error) {
    if (!(error instanceof FsError)) throw error
    // Damaged content was logged by whoever read it, and stays as it is.
    core.fragmented.delete(ino)
  }
  return true
}

function fragmentedChunk(inode: Inode): number | undefined {
  for (const [chunk, extents] of inode.chunks) if (extents.length > FRAGMENTS_MAX) return chunk
  return undefined
}

function rewriteChunk(core: Core, inode: Inode, chunk: number): void {
  readyInode(core, inode)
  const runs = runsOf(chunkExtents(core, inode, chunk))
  const contents = runs.map(({ from, to }) => ({
    from,
    bytes: concat(readContent(core, inode, from, to - from), to - from),
  }))
  const journal = newJournal(undefined)
  inode.journal = journal
  for (const { from, bytes } of contents) place(core, inode, from, toContent(core, bytes))
  sealExtents(core, inode, core.moments.next())
  inode.journal = undefined
  // As many holes as pieces: joining cannot help this chunk.
  if (runs.length > FRAGMENTS_MAX) core.fragmented.delete(inode.ino)
}

/** Ranges without a hole in them. */
function runsOf(extents: readonly ExtentRow[]): { from: number; to: number }[] {
  const runs: { from: number; to: number }[] = []
  for (const { offset, length } of extents) {
    const last = runs[runs.length - 1]
    if (last?.to === offset && offset % CHUNK_BYTES !== 0) last.to += length
    else runs.push({ from: offset, to: offset + length })
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
