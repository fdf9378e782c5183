// Reads what a change of content will need before anything is changed; see tree/prefetch.ts.

import { CHUNK_BYTES } from '../../base/limits.ts'
import type { Core } from '../core/core.ts'
import type { Inode } from '../core/inode.ts'
import { isReady, prefetchInode, prefetchJournal } from '../tree/prefetch.ts'
import { chunkExtents, scanExtents } from './extents.ts'

/** Chunks loaded whether or not they have content: no write has more. */
const CHUNKS_MAX = 1024

/** Before the content of [from, to) is changed. */
export function prefetchContent(core: Core, inode: Inode, from: number, to: number): void {
  if (isReady(core)) return
  prefetchInode(core, inode)
  if (inode.windows === undefined) return
  const stop = Math.min(to, inode.size)
  const first = Math.floor(from / CHUNK_BYTES)
  const end = Math.max(first + 1, Math.ceil(stop / CHUNK_BYTES))
  for (let chunk = first; chunk < Math.min(end, first + CHUNKS_MAX); chunk++)
    chunkExtents(core, inode, chunk)
  if (end === first + 1) return
  for (const { offset } of scanExtents(core, inode.ino, (first + 1) * CHUNK_BYTES, stop))
    chunkExtents(core, inode, Math.floor(offset / CHUNK_BYTES))
}

/** Before buffered writes become extents. */
export function prefetchFlush(core: Core, inode: Inode): void {
  if (isReady(core)) return
  prefetchInode(core, inode)
  for (const chunk of inode.writeBuffer?.keys() ?? []) chunkExtents(core, inode, chunk)
}

/** Before a change of content is sealed; buffered writes are flushed already. */
export function prefetchSeal(core: Core, inode: Inode): void {
  if (isReady(core)) return
  prefetchInode(core, inode)
  prefetchJournal(core, inode)
  for (const offset of inode.journal?.current ?? [])
    chunkExtents(core, inode, Math.floor(offset / CHUNK_BYTES))
}
