// What carries a set of labels below a directory: which files a caller may see there, and under which names.

import { NAME_BYTES_MAX } from '../../base/limits.ts'
import { isDirectory } from '../../base/mode.ts'
import { cutName } from '../../base/names.ts'
import { hardlink } from '../../store/collections.ts'
import type { Core } from '../../vault/core.ts'
import type { Inode } from '../../vault/inode.ts'
import { findInode } from '../../vault/inodes.ts'
import { filesWith } from '../../vault/tags.ts'
import { MAY_SEARCH, pathBelow, type Reader } from '../reach.ts'

/** Names of one inode that are looked at. */
const LINKS_MAX = 1000

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
  const before = known.get(core)
  const key = tags.join('\0')
  const who = `${reader.uid}\0${[...reader.groups].join()}`
  const { last } = core.moments
  if (
    before?.last === last &&
    before.directory === directory &&
    before.tags === key &&
    before.who === who
  )
    return before.files
  const files = gather(core, directory, tags, reader)
  known.set(core, { directory, tags: key, who, last, files })
  return files
}

function gather(
  core: Core,
  directory: number,
  tags: readonly string[],
  reader: Reader,
): Map<string, Tagged> {
  const files = new Map<string, Tagged>()
  for (const ino of filesWith(core, tags)) {
    const found = taggedFile(core, directory, ino, reader)
    if (found !== undefined) files.set(uniqueName(files, found.path.at(-1) ?? ''), found)
  }
  return files
}

function uniqueName(files: ReadonlyMap<string, Tagged>, name: string): string {
  if (!files.has(name)) return name
  for (let count = 2; ; count++) {
    const suffix = `~${count}`
    const other = cutName(name, NAME_BYTES_MAX - suffix.length) + suffix
    if (!files.has(other)) return other
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
  const names = [{ parent: inode.parent, name: inode.name }]
  if (inode.nlink > 1 && !isDirectory(inode.mode))
    names.push(...core.overlay.scan(hardlink, { gte: [ino], lt: [ino + 1], limit: LINKS_MAX }))
  for (const { parent, name } of names) {
    const path = pathBelow(core, reader, directory, parent, name, wanted)
    if (path !== undefined) return { inode, parent, path }
  }
  return undefined
}
