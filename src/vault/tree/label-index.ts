// Which inodes carry a label, and which of them are called alike: rows of labels are found by inode
// alone, and a tag's directory is asked by label and name. Kept in memory from the first such
// question on, as rows change; of more labels than fit nothing is kept, and each question looks at
// all rows.

import { addTo, dropFrom } from '../../base/sets.ts'
import {
  hardlink,
  inode as inodes,
  type Key,
  type KeyPart,
  tagging,
} from '../../store/collections.ts'
import { ALL } from '../../store/store.ts'
import type { Core } from '../core/core.ts'
import { findInode } from './inodes.ts'
import { placesOf } from './names.ts'

/** Labels of inodes that are kept: some 50 MB. */
const LABELS_MAX = 250_000
/**
 * Of longer names only the beginning counts: shorter than any that is cut to make room for a
 * number.
 */
const FAMILY_BYTES = 128

interface Labelled {
  readonly tags: Set<string>
  families: readonly string[]
}

interface LabelIndex {
  readonly inodes: Map<number, Labelled>
  readonly byTag: Map<string, Set<number>>
  readonly byFamily: Map<string, Set<number>>
  /** Those whose names have to be read, for the first time or again. */
  readonly unread: Set<number>
  labels: number
}
const known = new WeakMap<Core, LabelIndex>()

/**
 * What names have in common that may be told apart by a number (NAME, NAME~2, NAME~2~2): in a
 * listing in which each has a name of its own, what one is called depends on those of its family
 * alone.
 */
export function familyOf(name: string): string {
  return name.slice(0, FAMILY_BYTES).replace(/(?:~\d*)+$/, '')
}

/** The inodes that carry all of these labels, by number; some may be gone. */
export function labelledWith(core: Core, tags: readonly string[]): number[] {
  const { inodes: all, byTag } = indexOf(core)
  const sets = tags.map((tag) => byTag.get(tag) ?? new Set<number>())
  const smallest = sets.reduce((a, b) => (b.size < a.size ? b : a))
  const found = [...smallest].filter((ino) => tags.every((tag) => all.get(ino)?.tags.has(tag)))
  return found.sort((a, b) => a - b)
}

/** Those of them that have a name of a family. */
export function labelledAlike(core: Core, tags: readonly string[], family: string): number[] {
  const index = indexOf(core)
  readNames(core, index)
  const alike = index.byFamily.get(family) ?? []
  const found = [...alike].filter((ino) =>
    tags.every((tag) => index.inodes.get(ino)?.tags.has(tag)),
  )
  return found.sort((a, b) => a - b)
}

function indexOf(core: Core): LabelIndex {
  const before = known.get(core)
  if (before !== undefined) return before
  const rows = core.overlay.scan(tagging, { limit: ALL })
  const index = newIndex()
  for (const { ino, tag } of rows) give(index, ino, tag)
  if (index.labels > LABELS_MAX) return index
  known.set(core, index)
  if (!followed.has(core)) follow(core)
  return index
}

function newIndex(): LabelIndex {
  return {
    inodes: new Map(),
    byTag: new Map(),
    byFamily: new Map(),
    unread: new Set(),
    labels: 0,
  }
}

const followed = new WeakSet<Core>()

/** From here on what is kept changes as the rows do. */
function follow(core: Core): void {
  followed.add(core)
  core.overlay.watch(tagging, ([ino, tag]: Key, row) => {
    const index = known.get(core)
    if (index === undefined) return
    if (row !== undefined) give(index, row.ino, row.tag)
    else for (const its of tag === undefined ? tagsOf(index, ino) : [tag]) take(index, ino, its)
    if (index.labels > LABELS_MAX) known.delete(core)
  })
  // Names change after the inode was put: they are read when they are asked for.
  const renamed = ([ino]: Key): void => {
    const index = known.get(core)
    if (index?.inodes.has(ino as number)) index.unread.add(ino as number)
  }
  core.overlay.watch(inodes, renamed)
  core.overlay.watch(hardlink, renamed)
}

function tagsOf(index: LabelIndex, ino: KeyPart | undefined): string[] {
  return [...(index.inodes.get(ino as number)?.tags ?? [])]
}

function give(index: LabelIndex, ino: number, tag: string): void {
  let labelled = index.inodes.get(ino)
  if (labelled === undefined) {
    labelled = { tags: new Set(), families: [] }
    index.inodes.set(ino, labelled)
    index.unread.add(ino)
  }
  if (labelled.tags.has(tag)) return
  labelled.tags.add(tag)
  index.labels++
  addTo(index.byTag, tag, ino)
}

function take(index: LabelIndex, ino: KeyPart | undefined, tag: KeyPart): void {
  const labelled = index.inodes.get(ino as number)
  if (labelled?.tags.delete(tag as string) !== true) return
  index.labels--
  dropFrom(index.byTag, tag as string, ino as number)
  if (labelled.tags.size > 0) return
  for (const family of labelled.families) dropFrom(index.byFamily, family, ino as number)
  index.inodes.delete(ino as number)
  index.unread.delete(ino as number)
}

/** Reads the names that are not known. One that must wait has changed nothing but what is kept. */
function readNames(core: Core, index: LabelIndex): void {
  for (const ino of index.unread) {
    const inode = findInode(core, ino)
    const places = inode === undefined ? [] : placesOf(core, inode)
    const labelled = index.inodes.get(ino) as Labelled
    for (const family of labelled.families) dropFrom(index.byFamily, family, ino)
    labelled.families = [...new Set(places.map(({ name }) => familyOf(name)))]
    for (const family of labelled.families) addTo(index.byFamily, family, ino)
    index.unread.delete(ino)
  }
}
