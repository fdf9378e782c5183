// Names in tags/TAG that the kernel keeps, and what tells it when one leads elsewhere. What a file is called there depends on all labelled
// files of its family (label-index.ts): when one of these comes, goes or is renamed, all names of the family are dropped. Only names
// that everybody is shown alike are kept, so that a directory on the way which closes drops all.

import { DT_DIR, isDirectory } from '../../base/mode.ts'
import { addTo, dropFrom } from '../../base/sets.ts'
import { afterStep } from '../../base/step.ts'
import {
  CREATED,
  entry,
  hardlink,
  inode as inodes,
  type Key,
  tagging,
  xattr,
} from '../../store/collections.ts'
import { inBackground } from '../../store/retry.ts'
import type { Core } from '../../vault/core/core.ts'
import { cycleCheck } from '../../vault/core/cycles.ts'
import { tagsOf } from '../../vault/tree/attached.ts'
import { findInode } from '../../vault/tree/inodes.ts'
import { familyOf } from '../../vault/tree/label-index.ts'
import { placesOf } from '../../vault/tree/names.ts'
import type { FsContext } from '../context.ts'
import { isOpenToAll } from '../reach.ts'
import { MARGIN_MS } from './shown.ts'
import type { Tagged, TaggedNames } from './tagged.ts'
import { KEPT_MS, type KeptTagged, type TagPlace } from './view.ts'

/** One tags/TAG. */
interface KeptTag {
  readonly number: number
  readonly tags: readonly string[]
  untilMs: number
  /** By family: what the kernel may have, and which files are called alike. */
  readonly families: Map<string, { readonly names: Set<string>; readonly inos: Set<number> }>
}

/** Where a file was found, and the tags that have a name of it. */
interface KeptFile {
  readonly parent: number
  readonly name: string
  readonly nlink: number
  readonly families: Map<KeptTag, string>
}

export function keepTagged(fs: FsContext): KeptTagged {
  const { core } = fs
  const kept = new Map<number, KeptTag>()
  const byTag = new Map<string, Set<KeptTag>>()
  const files = new Map<number, KeptFile>()
  /** Directories on the way to these files. */
  const ways = new Set<number>()
  let walked = { from: 0, top: 0 }
  const changed = { all: false, inos: new Set<number>(), labels: new Map<number, Set<string>>() }

  function tagFor({ number, tags }: TagPlace): KeptTag {
    const before = kept.get(number)
    // Anew at the end, so that the oldest is the first.
    kept.delete(number)
    const [oldest] = kept.values()
    if (oldest !== undefined && oldest.untilMs < performance.now()) drop(oldest, false)
    const its = before ?? { number, tags, untilMs: 0, families: new Map() }
    its.untilMs = performance.now() + KEPT_MS + MARGIN_MS
    kept.set(number, its)
    for (const tag of tags) addTo(byTag, tag, its)
    return its
  }

  function drop(its: KeptTag, isKept: boolean): void {
    for (const family of [...its.families.keys()]) dropFamily(its, family, isKept)
    kept.delete(its.number)
    for (const tag of its.tags) dropFrom(byTag, tag, its)
    if (kept.size > 0) return
    ways.clear()
    walked = { from: 0, top: 0 }
  }

  function dropFamily(its: KeptTag, family: string, isKept = true): void {
    const known = its.families.get(family)
    if (known === undefined) return
    its.families.delete(family)
    if (isKept) for (const name of known.names) void fs.notices?.entryChanged(its.number, name)
    for (const ino of known.inos) {
      const file = files.get(ino)
      file?.families.delete(its)
      if (file?.families.size === 0) files.delete(ino)
    }
  }

  function noteFile({ inode, parent }: Tagged, its: KeptTag, family: string, top: number): void {
    const { ino, name, nlink } = inode
    const known = files.get(ino) ?? { parent: inode.parent, name, nlink, families: new Map() }
    known.families.set(its, family)
    files.set(ino, known)
    its.families.get(family)?.inos.add(ino)
    if (walked.from === parent && walked.top === top) return
    const isCircle = cycleCheck()
    for (let at: number | undefined = parent; at !== undefined && at !== top && !isCircle(at); ) {
      ways.add(at)
      at = findInode(core, at)?.parent
    }
    walked = { from: parent, top }
  }

  function note(view: TagPlace, name: string, file: Tagged, from: TaggedNames): number {
    const family = familyOf(file.path.at(-1) ?? '')
    if (fs.notices === undefined || from.closed.has(family)) return 0
    const its = tagFor(view)
    if (!its.families.has(family)) {
      its.families.set(family, { names: new Set(), inos: new Set() })
      for (const alike of from.families.get(family) ?? [])
        noteFile(alike, its, family, view.directory)
    }
    its.families.get(family)?.names.add(name)
    return KEPT_MS
  }

  function isWhereItWas(ino: number): boolean {
    const file = files.get(ino)
    const inode = findInode(core, ino)
    return (
      file !== undefined &&
      inode?.parent === file.parent &&
      inode.name === file.name &&
      inode.nlink === file.nlink
    )
  }

  function tell(): void {
    for (const ino of changed.inos) if (ways.has(ino) && !isStillOpen(core, ino)) changed.all = true
    if (changed.all) for (const its of [...kept.values()]) drop(its, true)
    else {
      for (const ino of changed.inos) if (!ways.has(ino) && !isWhereItWas(ino)) tellOf(ino, [])
      for (const [ino, labels] of changed.labels) tellOf(ino, labels)
    }
    changed.all = false
    changed.inos.clear()
    changed.labels.clear()
  }

  /** Of a file that may be called otherwise, or be there or not. */
  function tellOf(ino: number, labels: Iterable<string>): void {
    const inode = findInode(core, ino)
    const places = inode === undefined ? [] : placesOf(core, inode)
    const carried = new Set([...tagsOf(core, ino), ...labels])
    for (const [its, family] of files.get(ino)?.families ?? []) dropFamily(its, family)
    for (const tag of carried)
      for (const its of byTag.get(tag) ?? [])
        for (const { name } of places) dropFamily(its, familyOf(name))
  }

  // A read that must wait may not run the change again.
  const tellSoon = afterStep(() => void inBackground(tell))

  function hear(note: () => void): void {
    if (kept.size === 0) return
    note()
    tellSoon()
  }

  function labelled([ino, tag]: Key): void {
    hear(() => {
      const its = changed.labels.get(ino as number) ?? new Set()
      changed.labels.set(ino as number, tag === undefined ? its : its.add(tag as string))
    })
  }

  core.overlay.watch(tagging, labelled)
  core.overlay.watch(hardlink, labelled)
  core.overlay.watch(inodes, ([ino], row) => {
    const its = ino as number
    const isMeant = row === undefined || row.tags > 0 || files.has(its) || ways.has(its)
    if (isMeant) hear(() => changed.inos.add(its))
  })
  core.overlay.watch(xattr, ([ino]) => {
    if (ways.has(ino as number)) hear(() => changed.inos.add(ino as number))
  })
  core.overlay.watch(entry, (_key, row) => {
    // What is below it comes along.
    if (row?.type === DT_DIR && row.origin !== CREATED) hear(() => (changed.all = true))
  })
  return { note }
}

function isStillOpen(core: Core, ino: number): boolean {
  const inode = findInode(core, ino)
  return inode !== undefined && isDirectory(inode.mode) && isOpenToAll(core, inode)
}
