// What carries a set of labels below a directory: which files a caller may see there, and under
// which names.

import { NAME_BYTES_MAX } from '../../base/limits.ts'
import { isDirectory } from '../../base/mode.ts'
import { cutName } from '../../base/names.ts'
import type { Core } from '../../vault/core/core.ts'
import type { Inode } from '../../vault/core/inode.ts'
import { findInode } from '../../vault/tree/inodes.ts'
import { familyOf, labelledAlike } from '../../vault/tree/label-index.ts'
import { placesOf } from '../../vault/tree/names.ts'
import { filesWith } from '../../vault/tree/tags.ts'
import { isWayOpen, keyOf, MAY_SEARCH, MAY_WALK, pathBelow, type Reader } from '../access.ts'
import { ticksOf } from './row-ticks.ts'

/**
 * A file with a label: the directory that it lies in, and the path that leads to it from the one
 * that is looked at.
 */
export interface Tagged {
  readonly inode: Inode
  readonly parent: number
  readonly path: readonly string[]
}

/** Files by names of their own. */
export interface TaggedNames {
  readonly files: ReadonlyMap<string, Tagged>
  /**
   * Names of files that the reader can open but not discover: a directory on the way can be entered
   * and not listed. Named last.
   */
  readonly unlisted: ReadonlySet<string>
  /** All families, whatever the reader may see. */
  readonly families: ReadonlyMap<string, readonly Tagged[]>
  /** Families in which not everybody is shown the same. */
  readonly closed: ReadonlySet<string>
}

interface Known {
  readonly directory: number
  readonly tags: string
  readonly who: string
  readonly tick: number
  readonly names: TaggedNames
}
const known = new WeakMap<Core, Known>()
const EVERYBODY = 'everybody'
/** Sees everything that is there. */
export const ALMIGHTY: Reader = { uid: 0, groups: new Set() }

/**
 * Files below `directory` that carry all of `tags`, as far as the reader could walk to them, under
 * names of their own.
 */
export function taggedBelow(
  core: Core,
  directory: number,
  tags: readonly string[],
  reader: Reader,
): TaggedNames {
  const before = lastListed(core, directory, tags, reader)
  if (before !== undefined) return before
  const tick = ticksOf(core).labels()
  const names = named(core, directory, filesWith(core, tags), reader)
  const who = names.closed.size === 0 ? EVERYBODY : keyOf(reader)
  known.set(core, { directory, tags: tags.join('\0'), who, tick, names })
  return names
}

/**
 * What the names of one family lead to. Reads no other family, so that it is cheap enough for every
 * lookup.
 */
export function taggedAlike(
  core: Core,
  directory: number,
  tags: readonly string[],
  reader: Reader,
  name: string,
): TaggedNames {
  const before = lastListed(core, directory, tags, reader)
  if (before !== undefined) return before
  const family = familyOf(name)
  return named(core, directory, labelledAlike(core, tags, family), reader, family)
}

/** What one of these names leads to. */
export function taggedAs(
  core: Core,
  directory: number,
  tags: readonly string[],
  reader: Reader,
  name: string,
): Tagged | undefined {
  return taggedAlike(core, directory, tags, reader, name).files.get(name)
}

/** The last listing, if it was of the same and nothing has changed since. */
function lastListed(
  core: Core,
  directory: number,
  tags: readonly string[],
  reader: Reader,
): TaggedNames | undefined {
  const before = known.get(core)
  const isIt =
    before?.tick === ticksOf(core).labels() &&
    before.directory === directory &&
    before.tags === tags.join('\0') &&
    (before.who === EVERYBODY || before.who === keyOf(reader))
  return isIt ? before.names : undefined
}

/** In the order of their numbers; `family`: only those that have a name of that family here. */
function named(
  core: Core,
  directory: number,
  inos: readonly number[],
  reader: Reader,
  family?: string,
): TaggedNames {
  const all = collected(core, directory, inos, ALMIGHTY, family)
  const closed = closedAmong(core, directory, all.files)
  const isForAll = closed.size === 0 || reader.uid === ALMIGHTY.uid
  const visible = isForAll ? all : collected(core, directory, inos, reader, family)
  return { ...visible, closed, families: familiesOf(all.files) }
}

function collected(
  core: Core,
  directory: number,
  inos: readonly number[],
  reader: Reader,
  family: string | undefined,
): Pick<TaggedNames, 'files' | 'unlisted'> {
  const files = new Map<string, Tagged>()
  const unlisted = new Set<string>()
  const counts = new Map<string, number>()
  const isInFamily = ({ path }: Tagged): boolean =>
    family === undefined || familyOf(path.at(-1) ?? '') === family
  const entered: Tagged[] = []
  for (const ino of inos) {
    const found = taggedFile(core, directory, ino, reader, MAY_WALK)
    // A directory is shown as a symlink, which would reveal the path to it.
    const hidden = found ?? taggedFile(core, directory, ino, reader)
    if (found !== undefined && isInFamily(found)) files.set(nameOf(files, found, counts), found)
    else if (found === undefined && hidden !== undefined && !isDirectory(hidden.inode.mode))
      entered.push(hidden)
  }
  for (const hidden of entered.filter(isInFamily)) {
    const name = nameOf(files, hidden, counts)
    files.set(name, hidden)
    unlisted.add(name)
  }
  return { files, unlisted }
}

function familiesOf(files: ReadonlyMap<string, Tagged>): Map<string, Tagged[]> {
  const families = new Map<string, Tagged[]>()
  for (const file of files.values()) {
    const family = familyOf(file.path.at(-1) ?? '')
    const members = families.get(family)
    if (members === undefined) families.set(family, [file])
    else members.push(file)
  }
  return families
}

/**
 * Families of files to which not everybody may walk by the name that comes first: some do not see
 * them, or by another name.
 */
function closedAmong(
  core: Core,
  directory: number,
  files: ReadonlyMap<string, Tagged>,
): Set<string> {
  const open = new Map<number, boolean>([[directory, true]])
  const closed = new Set<string>()
  for (const { inode, parent } of files.values())
    if (!isWayOpen(core, parent, open))
      for (const { name } of placesOf(core, inode)) closed.add(familyOf(name))
  return closed
}

/** A name that no other file has; `counts` has the last number used for each name. */
function nameOf(
  files: ReadonlyMap<string, Tagged>,
  { path }: Tagged,
  counts: Map<string, number>,
): string {
  const name = path.at(-1) ?? ''
  if (!files.has(name)) return name
  for (let count = (counts.get(name) ?? 1) + 1; ; count++) {
    const suffix = `~${count}`
    const other = cutName(name, NAME_BYTES_MAX - suffix.length) + suffix
    if (files.has(other)) continue
    counts.set(name, count)
    return other
  }
}

/**
 * A file as it is found below a directory, by the first of its names to which the reader may go by
 * `wanted`.
 */
export function taggedFile(
  core: Core,
  directory: number,
  ino: number,
  reader: Reader,
  wanted = MAY_SEARCH,
): Tagged | undefined {
  const inode = findInode(core, ino)
  if (inode === undefined || inode.nlink === 0 || ino === directory) return undefined
  for (const { parent, name } of placesOf(core, inode)) {
    const path = pathBelow(core, reader, directory, parent, name, wanted)
    if (path !== undefined) return { inode, parent, path }
  }
  return undefined
}
