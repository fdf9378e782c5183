// Which names in tags/TAG the kernel may keep, with what it takes to find those that a change of a
// file makes wrong. What a file is called there depends on all labelled files of its family
// (label-index.ts), so that names are dropped a family at a time.

import { addTo, dropFrom } from '../../base/sets.ts'
import { cycleCheck } from '../../vault/core/cycles.ts'
import { tagsOf } from '../../vault/tree/attached.ts'
import { findInode } from '../../vault/tree/inodes.ts'
import { familyOf } from '../../vault/tree/label-index.ts'
import { placesOf } from '../../vault/tree/names.ts'
import type { FsContext } from '../context.ts'
import type { Tagged, TaggedNames } from './tagged.ts'
import { CACHED_MS, type TagDirectory, type TaggedNameCache } from './view.ts'

/** The kernel counts in ticks, from when it hears. */
const MARGIN_MS = 50

/** One tags/TAG. */
interface CachedTag {
  readonly number: number
  readonly tags: readonly string[]
  untilMs: number
  /** By family: what the kernel may have, and which files are called alike. */
  readonly families: Map<string, { readonly names: Set<string>; readonly inos: Set<number> }>
}

/** Where a file was found, and the tags that have a name of it. */
interface CachedFile {
  readonly parent: number
  readonly name: string
  readonly nlink: number
  readonly families: Map<CachedTag, string>
}

export class CachedTags implements TaggedNameCache {
  readonly #fs: FsContext
  readonly #byNumber = new Map<number, CachedTag>()
  readonly #byTag = new Map<string, Set<CachedTag>>()
  readonly #files = new Map<number, CachedFile>()
  /** Directories on the way to these files. */
  readonly #ways = new Set<number>()
  #walked = { from: 0, top: 0 }

  constructor(fs: FsContext) {
    this.#fs = fs
  }

  get isEmpty(): boolean {
    return this.#byNumber.size === 0
  }

  note(view: TagDirectory, name: string, file: Tagged, from: TaggedNames): number {
    const family = familyOf(file.path.at(-1) ?? '')
    if (this.#fs.notices === undefined || from.closed.has(family)) return 0
    const tag = this.#tagFor(view)
    if (!tag.families.has(family)) {
      tag.families.set(family, { names: new Set(), inos: new Set() })
      for (const alike of from.families.get(family) ?? [])
        this.#noteFile(alike, tag, family, view.directory)
    }
    tag.families.get(family)?.names.add(name)
    return CACHED_MS
  }

  /** Whether a name leads to the inode, or to a file below it. */
  concerns(ino: number): boolean {
    return this.#files.has(ino) || this.#ways.has(ino)
  }

  isOnTheWay(ino: number): boolean {
    return this.#ways.has(ino)
  }

  /** Whether a file has the names that it had when it was noted. */
  isWhereItWas(ino: number): boolean {
    const file = this.#files.get(ino)
    const inode = findInode(this.#fs.core, ino)
    return (
      file !== undefined &&
      inode?.parent === file.parent &&
      inode.name === file.name &&
      inode.nlink === file.nlink
    )
  }

  /** The kernel is told of all names. */
  dropAll(): void {
    for (const tag of [...this.#byNumber.values()]) this.#drop(tag, true)
  }

  /**
   * And of those of a file that may be called otherwise, or be there or not; `labels`: those that
   * it may have lost.
   */
  dropNamesOf(ino: number, labels: Iterable<string>): void {
    const { core } = this.#fs
    const inode = findInode(core, ino)
    const places = inode === undefined ? [] : placesOf(core, inode)
    const carried = new Set([...tagsOf(core, ino), ...labels])
    for (const [tag, family] of this.#files.get(ino)?.families ?? []) this.#dropFamily(tag, family)
    for (const label of carried)
      for (const tag of this.#byTag.get(label) ?? [])
        for (const { name } of places) this.#dropFamily(tag, familyOf(name))
  }

  #tagFor({ number, tags }: TagDirectory): CachedTag {
    const before = this.#byNumber.get(number)
    // Anew at the end, so that the oldest is the first.
    this.#byNumber.delete(number)
    const [oldest] = this.#byNumber.values()
    if (oldest !== undefined && oldest.untilMs < performance.now()) this.#drop(oldest, false)
    const tag = before ?? { number, tags, untilMs: 0, families: new Map() }
    tag.untilMs = performance.now() + CACHED_MS + MARGIN_MS
    this.#byNumber.set(number, tag)
    for (const label of tags) addTo(this.#byTag, label, tag)
    return tag
  }

  #noteFile({ inode, parent }: Tagged, tag: CachedTag, family: string, top: number): void {
    const { ino, name, nlink } = inode
    const file = this.#files.get(ino) ?? { parent: inode.parent, name, nlink, families: new Map() }
    file.families.set(tag, family)
    this.#files.set(ino, file)
    tag.families.get(family)?.inos.add(ino)
    if (this.#walked.from === parent && this.#walked.top === top) return
    const isCircle = cycleCheck()
    let above: number | undefined = parent
    while (above !== undefined && above !== top && !isCircle(above)) {
      this.#ways.add(above)
      above = findInode(this.#fs.core, above)?.parent
    }
    this.#walked = { from: parent, top }
  }

  /** `isCached`: the kernel may have its names yet. */
  #drop(tag: CachedTag, isCached: boolean): void {
    for (const family of [...tag.families.keys()]) this.#dropFamily(tag, family, isCached)
    this.#byNumber.delete(tag.number)
    for (const label of tag.tags) dropFrom(this.#byTag, label, tag)
    if (this.#byNumber.size > 0) return
    this.#ways.clear()
    this.#walked = { from: 0, top: 0 }
  }

  #dropFamily(tag: CachedTag, family: string, isCached = true): void {
    const known = tag.families.get(family)
    if (known === undefined) return
    tag.families.delete(family)
    if (isCached)
      for (const name of known.names) void this.#fs.notices?.entryChanged(tag.number, name)
    for (const ino of known.inos) {
      const file = this.#files.get(ino)
      file?.families.delete(tag)
      if (file?.families.size === 0) this.#files.delete(ino)
    }
  }
}
