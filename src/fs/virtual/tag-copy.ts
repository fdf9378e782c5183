// Copying into a tag: `cp FILE .avfs/tags/TAG/` labels FILE. What cp makes there is a file without
// a name until it is closed; where it was copied from is known when the kernel copies it for the
// program, or when the file of that name says the same. What comes from elsewhere becomes a new
// file of the directory.

import { EEXIST, EPERM, fail } from '../../base/errno.ts'
import { CHUNK_BYTES } from '../../base/limits.ts'
import { isRegular } from '../../base/mode.ts'
import { idempotent } from '../../base/step.ts'
import { Fault } from '../../store/store.ts'
import { flushWrites, readContent } from '../../vault/content/content.ts'
import { prefetchSeal } from '../../vault/content/prefetch.ts'
import { closeContent } from '../../vault/content/seal.ts'
import type { Core } from '../../vault/core/core.ts'
import type { Inode } from '../../vault/core/inode.ts'
import { findEntry } from '../../vault/tree/directory.ts'
import { findInode, getInode } from '../../vault/tree/inodes.ts'
import { prefetchInode, prefetchTags } from '../../vault/tree/prefetch.ts'
import { tagFile } from '../../vault/tree/tags.ts'
import { MAY_READ, mayNow, readerOf } from '../access.ts'
import { forgetNode } from '../context.ts'
import { link, tmpfile } from '../create.ts'
import type { Caller, Node } from '../operations.ts'
import { assertMayLabel, mayTag } from './tag-access.ts'
import type { TagCopy, ViewContext } from './view.ts'

/** The file that the writer fills. */
export function startCopy(
  { fs, copies }: ViewContext,
  caller: Caller,
  directory: number,
  name: string,
  tags: readonly string[],
  mode: number,
): Node {
  const node = tmpfile(fs, caller, directory, mode, 0)
  const reader = readerOf(caller)
  copies.set(node.ino, { directory, name, tags, reader, source: undefined, isRefused: false })
  return { ...node, volatile: true }
}

/**
 * The kernel copies for the program: nothing needs to be written. Returns the bytes that count as
 * copied. Throws what `ln` would be answered (EPERM, EXDEV), at which the program copies by itself.
 */
export function noteSource(
  { fs, copies }: ViewContext,
  to: number,
  from: number,
  offset: number,
  length: number,
): number {
  const source = getInode(fs.core, from)
  const copy = copies.get(to)
  if (copy !== undefined) {
    copy.isRefused = !mayTag(fs.core, copy.reader, source)
    assertMayLabel(fs.core, copy.reader, copy.directory, source)
    copy.source = from
  }
  return Math.min(length, Math.max(0, source.size - offset))
}

/**
 * close(2) of what was copied: the label is given. Throws EEXIST when another file has the name.
 */
export function endCopy(context: ViewContext, ino: number): void {
  const { fs, copies } = context
  const { directory = 0 } = copies.get(ino) ?? {}
  const { notices } = fs
  // The kernel may have cached that the directory has no such file: it is notified before this
  // FLUSH is answered.
  const named = idempotent(() => end(context, ino))
  if (named !== undefined && notices !== undefined)
    throw new Fault(async () => {
      await Promise.all([notices.entryChanged(directory, named), notices.inodeChanged(directory)])
    })
}

/** Returns the name that was given, if any. */
function end({ fs, copies }: ViewContext, ino: number): string | undefined {
  const copy = copies.get(ino)
  const made = findInode(fs.core, ino)
  if (copy === undefined || made === undefined) return undefined
  if (copy.isRefused) fail(EPERM)
  const source = copy.source ?? sameFile(fs.core, made, copy)
  if (source === undefined) {
    if (findEntry(fs.core, copy.directory, copy.name) !== undefined) {
      // A shell closes a descriptor that it opened for writing once before anything is written
      // (after dup2).
      if (made.size === 0) return undefined
      fail(EEXIST)
    }
    flushWrites(fs.core, made)
    prefetchSeal(fs.core, made)
    prefetchTags(fs.core, ino, copy.tags)
    link(fs, ino, copy.directory, copy.name)
    forgetNode(fs, ino, 1)
    closeContent(fs.core, made)
  }
  const labelled = getInode(fs.core, source ?? ino)
  prefetchInode(fs.core, labelled)
  prefetchTags(fs.core, labelled.ino, copy.tags)
  for (const tag of copy.tags) tagFile(fs.core, labelled, tag)
  fs.notices?.attributesChanged(labelled.ino)
  copies.delete(ino)
  return source === undefined ? copy.name : undefined
}

/**
 * The file of that name in the directory, when it holds the same bytes; they are compared for those
 * alone who may read it. Throws EPERM for a caller who may not label it, whatever it holds.
 */
function sameFile(
  core: Core,
  made: Inode,
  { directory, name, reader }: TagCopy,
): number | undefined {
  const row = findEntry(core, directory, name)
  const other = row === undefined ? undefined : findInode(core, row.ino)
  if (other === undefined || !isRegular(other.mode)) return undefined
  if (!mayTag(core, reader, other)) {
    // A shell closes a descriptor that it opened for writing once before anything is written (after
    // dup2).
    if (made.size === 0) return undefined
    fail(EPERM)
  }
  if (other.size !== made.size || !mayNow(core, reader, other, MAY_READ)) return undefined
  for (let offset = 0; offset < made.size; offset += CHUNK_BYTES) {
    const mine = Buffer.concat(readContent(core, made, offset, CHUNK_BYTES))
    if (!mine.equals(Buffer.concat(readContent(core, other, offset, CHUNK_BYTES)))) return undefined
  }
  return other.ino
}
