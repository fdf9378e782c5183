// What carries a set of labels below a directory: which files a caller may see there, and under which names.

import { NAME_BYTES_MAX } from '../../base/limits.ts'
import { cutName } from '../../base/names.ts'
import type { Core } from '../../vault/core.ts'
import type { Inode } from '../../vault/inode.ts'
import { findInode } from '../../vault/inodes.ts'
import { familyOf, labelledAlike } from '../../vault/label-index.ts'
import { placesOf } from '../../vault/names.ts'
import { filesWith } from '../../vault/tags.ts'
import { MAY_SEARCH, pathBelow, type Reader } from '../reach.ts'

/** A file with a label: the directory that it lies in, and the path that leads to it from the one that is looked at. */
export interface Tagged {
  readonly inode: Inode
  readonly parent: number
  readonly path: readonly string[]
}

interface Known {
  readonly directory: number
  readonly tags: string
  readonly who: string
  readonly last: number
  readonly files: ReadonlyMap<string, Tagged>
}
const known = new WeakMap<Core, Known>()

/** Files below `directory` that carry all of `tags`, as far as the reader could walk to them, under names of their own. */
export function taggedBelow(
  core: Core,
  directory: number,
  tags: readonly string[],
  reader: Reader,
): ReadonlyMap<string, Tagged> {
  const before = lastListed(core, directory, tags, reader)
  if (before !== undefined) return before
  const { last } = core.moments
  const files = named(core, directory, filesWith(core, tags), reader)
  known.set(core, { directory, tags: tags.join('\0'), who: whoIs(reader), last, files })
  return files
}

/** What one of these names leads to: without a look at all others, so that it may be asked for each. */
export function taggedAs(
  core: Core,
  directory: number,
  tags: readonly string[],
  reader: Reader,
  name: string,
): Tagged | undefined {
  const before = lastListed(core, directory, tags, reader)
  if (before !== undefined) return before.get(name)
  const family = familyOf(name)
  const alike = labelledAlike(core, tags, family)
  return named(core, directory, alike, reader, family).get(name)
}

/** What was listed last, if it was this and nothing happened since. */
function lastListed(
  core: Core,
  directory: number,
  tags: readonly string[],
  reader: Reader,
): ReadonlyMap<string, Tagged> | undefined {
  const before = known.get(core)
  const isIt =
    before?.last === core.moments.last &&
    before.directory === directory &&
    before.tags === tags.join('\0') &&
    before.who === whoIs(reader)
  return isIt ? before.files : undefined
}

function whoIs({ uid, groups }: Reader): string {
  return `${uid}\0${[...groups].join()}`
}

/** Files by names of their own, in the order of their numbers; `family`: only those that have a name of that family here. */
function named(
  core: Core,
  directory: number,
  inos: readonly number[],
  reader: Reader,
  family?: string,
): Map<string, Tagged> {
  const files = new Map<string, Tagged>()
  const counts = new Map<string, number>()
  for (const ino of inos) {
    const found = taggedFile(core, directory, ino, reader)
    const own = found?.path.at(-1) ?? ''
    if (found === undefined || (family !== undefined && familyOf(own) !== family)) continue
    files.set(uniqueName(files, own, counts), found)
  }
  return files
}

/** `counts`: the last number of each name, before which none is free. */
function uniqueName(
  files: ReadonlyMap<string, Tagged>,
  name: string,
  counts: Map<string, number>,
): string {
  if (!files.has(name)) return name
  for (let count = (counts.get(name) ?? 1) + 1; ; count++) {
    const suffix = `~${count}`
    const other = cutName(name, NAME_BYTES_MAX - suffix.length) + suffix
    if (files.has(other)) continue
    counts.set(name, count)
    return other
  }
}

/** A file as it is found below a directory, by the first of its names to which the reader may go by `wanted`. */
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
