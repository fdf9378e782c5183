// Whether everybody could always read a directory, so that what was deleted in it is nobody's secret.

import { inodePast } from '../../store/collections.ts'
import type { Core } from '../../vault/core.ts'
import { getInode } from '../../vault/inodes.ts'

const READ_BY_ALL = 0o444
const ALL = Number.MAX_SAFE_INTEGER
/** Directories of which that is known. */
const DIRECTORIES_MAX = 10_000

const known = new WeakMap<Core, Map<number, boolean>>()

export function isOpenToRead({ mode }: { readonly mode: number }): boolean {
  return (mode & READ_BY_ALL) === READ_BY_ALL
}

/** Reads all former states of the directory when it is asked for the first time. */
export function wasOpenToRead(core: Core, directory: number): boolean {
  if (!isOpenToRead(getInode(core, directory))) return false
  const directories = known.get(core) ?? follow(core)
  const before = directories.get(directory)
  if (before !== undefined) return before
  const range = { gte: [directory], lt: [directory + 1], limit: ALL }
  const isOpen = core.overlay.scan(inodePast, range).every(isOpenToRead)
  if (directories.size >= DIRECTORIES_MAX) directories.clear()
  directories.set(directory, isOpen)
  return isOpen
}

function follow(core: Core): Map<number, boolean> {
  const directories = new Map<number, boolean>()
  known.set(core, directories)
  core.overlay.watch(inodePast, ([ino], row) => {
    if (row !== undefined && !isOpenToRead(row) && directories.has(row.ino))
      directories.set(ino as number, false)
  })
  return directories
}
