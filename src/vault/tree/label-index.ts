// An in-memory index of labels: which inodes carry a label, and which of them have similar names.
// Label rows are keyed by inode, but the directory of a tag is looked up by label and name. Built
// on the first such question, then kept up to date as rows change; with too many labels nothing is
// kept, and each question reads all rows.

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

/** Labels that are indexed at most: some 50 MB. */
const LABELS_MAX = 250_000
/**
 * Only the beginning of longer names counts. It is shorter than any name that is cut to make room
 * for a number.
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
  /** Inodes whose names have to be read (again). */
  readonly unread: Set<number>
  labels: number
}
const known = new WeakMap<Core, LabelIndex>()

/**
 * The common stem of names that differ only by a number (NAME, NAME~2, NAME~2~2). In a listing of
 * distinct names, the name shown for an inode depends only on others of its family.
 */
export function familyOf(name: string): string {
  return name.slice(0, FAMILY_BYTES).replace(/(?:~\d*)+$/, '')
}

/** Inodes that carry all of these labels, sorted by number; some may be deleted. */
export function labelledWith(core: Core, tags: readonly string[]): number[] {
  const { inodes: all, byTag } = indexOf(core)
  const sets = tags.map((tag) => byTag.get(tag) ?? new Set<number>())
  const smallest = sets.reduce((a, b) => (b.size < a.size ? b : a))
  const found = [...smallest].filter((ino) => tags.every((tag) => all.get(ino)?.tags.has(tag)))
  return found.sort((a, b) => a - b)
}

/** Those of them with a name of the family. */
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

/** Starts updating the index as rows change. */
function follow(core: Core): void {
  followed.add(core)
  core.overlay.watch(tagging, ([ino, tag]: Key, row) => {
    const index = known.get(core)
    if (index === undefined) return
    if (row !== undefined) give(index, row.ino, row.tag)
    else for (const its of tag === undefined ? tagsOf(index, ino) : [tag]) take(index, ino, its)
    if (index.labels > LABELS_MAX) known.delete(core)
  })
  // Names are changed after the inode's row was put, so they are read on demand.
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

/** Reads missing names. A Fault in between leaves the index consistent. */
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
