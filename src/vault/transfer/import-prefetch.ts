// Prefetches what an import will read for a change (see tree/prefetch.ts); a step is one record.
// Knows nothing of where records come from.

import type { Attribute } from '../../archive/records.ts'
import type { EntryRow } from '../../store/collections.ts'
import { scanExtents } from '../content/extents.ts'
import { prefetchFlush } from '../content/prefetch.ts'
import type { Core } from '../core/core.ts'
import type { Inode } from '../core/inode.ts'
import { tagsOf } from '../tree/attached.ts'
import { findEntry } from '../tree/directory.ts'
import { findInode, getInode } from '../tree/inodes.ts'
import {
  isReady,
  prefetchInode,
  prefetchLoss,
  prefetchName,
  prefetchTags,
} from '../tree/prefetch.ts'
import { fromXdgTags, XDG_TAGS } from '../tree/tags.ts'
import type { Spot } from './import-run.ts'

/** Before a name is added, possibly replacing a file. Throws ENOENT if its directory is gone. */
export function prefetchSpot(core: Core, { parent, name }: Spot): void {
  if (isReady(core)) return
  prefetchName(core, getInode(core, parent), name)
  const before = findEntry(core, parent, name)
  const replaced = before === undefined ? undefined : findInode(core, before.ino)
  if (replaced !== undefined) prefetchLoss(core, replaced, parent, name)
}

/** Before a new file is put at a place; `ino` is its number, possibly the next free one. */
export function prefetchPut(
  core: Core,
  place: Spot,
  ino: number,
  attributes: readonly Attribute[],
): void {
  if (isReady(core)) return
  prefetchSpot(core, place)
  const before = findEntry(core, place.parent, place.name)
  const kept = before === undefined ? [] : tagsOf(core, before.ino)
  prefetchTags(core, ino, labelsIn(attributes) ?? kept)
}

/** Before an existing file or directory gets attributes. */
export function prefetchHead(core: Core, inode: Inode, attributes: readonly Attribute[]): void {
  if (isReady(core)) return
  prefetchInode(core, inode)
  prefetchTags(core, inode.ino, labelsIn(attributes) ?? [])
}

/** Before the content of [0, end) is shared with another file. */
export function prefetchCopy(core: Core, inode: Inode, end: number): void {
  if (isReady(core)) return
  prefetchFlush(core, inode)
  for (const _ of scanExtents(core, inode.ino, 0, end));
}

/** Before a name is removed. */
export function prefetchRemoval(core: Core, { parent, name, ino }: EntryRow): void {
  if (isReady(core)) return
  prefetchName(core, getInode(core, parent), name)
  prefetchLoss(core, getInode(core, ino), parent, name)
}

/** The labels in attributes; undefined when there is no attribute for labels. */
function labelsIn(attributes: readonly Attribute[]): readonly string[] | undefined {
  const found = attributes.find(({ name }) => name === XDG_TAGS)
  return found && fromXdgTags(found.value).fit
}
