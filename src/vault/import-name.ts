// Giving an imported file its name, in the place of what had it.

import { EINVAL, EISDIR, ENAMETOOLONG, ENOENT, ENOTDIR, fail } from '../base/errno.ts'
import { NAME_BYTES_MAX } from '../base/limits.ts'
import { fileType, isDirectory } from '../base/mode.ts'
import { CREATED, DELETED, type EntryRow, type Origin } from '../store/collections.ts'
import { findEntry, isWorthKeeping, putEntry, removeEntry } from './directory.ts'
import type { Run, Spot } from './import.ts'
import { readyRemoval } from './import-ready.ts'
import type { Inode } from './inode.ts'
import { findInode, getInode } from './inodes.ts'
import { dropName, giveName } from './names.ts'

/** The name below which a mount shows its views. */
const VIEWS = '.avfs'

/** Throws EINVAL or ENAMETOOLONG for what can be no name in a vault. */
function assertName(name: string): void {
  if (name === '' || name === '.' || name === '..' || name === VIEWS) fail(EINVAL)
  if (name.includes('/') || name.includes('\0')) fail(EINVAL)
  if (name.length > NAME_BYTES_MAX) fail(ENAMETOOLONG)
}

/**
 * Throws what `nameNode` would throw, before anything was made: EINVAL, ENAMETOOLONG, EISDIR (a directory is there), ENOENT,
 * ENOTDIR. Somebody may have removed the directory that is being filled.
 */
export function assertFree({ core }: Run, { parent, name }: Spot): void {
  assertName(name)
  const directory = getInode(core, parent)
  if (!isDirectory(directory.mode)) fail(ENOTDIR)
  if (directory.nlink === 0) fail(ENOENT)
  const before = findEntry(core, parent, name)
  const found = before === undefined ? undefined : findInode(core, before.ino)
  if (found !== undefined && isDirectory(found.mode)) fail(EISDIR)
}

/** Puts an inode, whose links are counted, at a name that `assertFree` let pass; a file that is there goes to the past. */
export function nameNode(
  run: Run,
  { parent, name }: Spot,
  made: Inode,
  origin: Origin = CREATED,
): void {
  const { core, options } = run
  const directory = getInode(core, parent)
  const before = findEntry(core, parent, name)
  const replaced = before === undefined ? undefined : findInode(core, before.ino)
  const moment = core.moments.next()
  const to = { ino: made.ino, type: fileType(made.mode) }
  putEntry(core, directory, name, to, moment, origin)
  giveName(core, made, parent, name)
  if (replaced !== undefined)
    dropName(core, replaced, parent, name, moment, options.isHeld(replaced.ino), false)
  if (options.isHeld(parent)) options.nameChanged(parent, name)
}

/** Takes a name away; history keeps it. */
export function removeNode(run: Run, row: EntryRow): void {
  const { core, options } = run
  readyRemoval(core, row)
  const directory = getInode(core, row.parent)
  const inode = getInode(core, row.ino)
  const moment = core.moments.next()
  const traceless = removeEntry(core, directory, row, moment, DELETED, isWorthKeeping(core, inode))
  if (isDirectory(inode.mode)) directory.nlink--
  dropName(core, inode, row.parent, row.name, moment, options.isHeld(inode.ino), traceless)
  if (options.isHeld(row.parent)) options.nameChanged(row.parent, row.name)
}
