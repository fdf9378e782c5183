// Gives an imported file its name, replacing what has it.

import { BY_PATH, type EntryHead } from '../../archive/records.ts'
import { EINVAL, EISDIR, ENAMETOOLONG, ENOENT, ENOTDIR, fail } from '../../base/errno.ts'
import { NAME_BYTES_MAX, SYMLINK_BYTES_MAX } from '../../base/limits.ts'
import { fileType, isDirectory, isKnownType, isRegular, isSymlink } from '../../base/mode.ts'
import { isFileName } from '../../base/names.ts'
import { CREATED, type EntryRow, type Origin } from '../../store/collections.ts'
import { Fault } from '../../store/store.ts'
import type { Inode } from '../core/inode.ts'
import { admit } from '../core/quota.ts'
import { completeState, observeLoss, removeKept } from '../history/before-loss.ts'
import { findEntry, putEntry, startDirectory } from '../tree/directory.ts'
import { withTrace } from '../tree/history-recording.ts'
import { createInode, findInode, getInode } from '../tree/inodes.ts'
import { dropName, giveName } from '../tree/names.ts'
import { prefetchRemoval, prefetchSpot } from './import-prefetch.ts'
import { existing, type Run, type Spot } from './import-run.ts'

/** The directory in which a mount shows its views. */
const VIEWS = '.avfs'

/** Throws EINVAL or ENAMETOOLONG for an invalid file name. */
export function assertName(name: string): void {
  if (name.length > NAME_BYTES_MAX) fail(ENAMETOOLONG)
  if (!isFileName(name) || name === VIEWS) fail(EINVAL)
}

/** As `assertName`, for each name of a path below the target. */
export function assertPath(path: string): void {
  for (const name of path.split('/')) assertName(name)
}

/** Throws EINVAL or ENAMETOOLONG for a record of no valid file; `name` is the record's. */
export function assertFit({ mode, parent }: EntryHead, name: string): void {
  if (!isKnownType(mode)) fail(EINVAL)
  if (parent === BY_PATH) assertPath(name)
  else if (parent !== 0) assertName(name)
}

/** Throws EINVAL or ENAMETOOLONG for a link target that symlink(2) would refuse. */
export function assertTarget({ mode }: EntryHead, content: Uint8Array): void {
  if (!isSymlink(mode)) return
  if (content.length === 0 || content.includes(0)) fail(EINVAL)
  if (content.length > SYMLINK_BYTES_MAX) fail(ENAMETOOLONG)
}

/**
 * Throws what `nameNode` would throw, before anything is created: EINVAL, ENAMETOOLONG, EISDIR
 * (there is a directory of that name), ENOENT, ENOTDIR. The directory being filled may have been
 * removed.
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

/** Call before replacing what is at a place. Throws a Fault when it has to wait. */
export function completeAt(run: Run, place: Spot): void {
  const found = existing(run.core, place)
  if (found !== undefined) complete(run, found)
}

/**
 * Gets what programs have written into a file that will be replaced, and seals it, so that history
 * has all of it.
 */
function complete(run: Run, inode: Inode): void {
  settled(run, inode)
  completeState(run.core, inode)
}

/** Waits until the kernel has written back a file. */
export function settled({ options, writtenBack }: Run, inode: Inode): void {
  const { ino } = inode
  if (isRegular(inode.mode) && options.isHeld(ino) && !writtenBack.has(ino))
    throw new Fault(async () => {
      await options.writtenBack(ino)
      writtenBack.add(ino)
    })
}

/**
 * Puts an inode, whose links are counted already, at a name that `assertFree` accepted; an existing
 * file becomes part of the past.
 */
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
  if (replaced !== undefined) observeLoss(core, replaced, before)
  const moment = core.moments.next()
  const to = { ino: made.ino, type: fileType(made.mode) }
  const put = (): void => putEntry(core, directory, name, to, moment, origin)
  if (replaced === undefined) put()
  else withTrace(core, put)
  giveName(core, made, parent, name)
  if (replaced !== undefined) {
    const isHeld = options.isHeld(replaced.ino)
    withTrace(core, () => dropName(core, replaced, parent, name, moment, isHeld, false))
    options.inodeChanged(replaced.ino)
  }
  options.nameChanged(parent, name, before, to)
}

/** Removes a name; history keeps it, wherever it lies. */
export function removeNode(run: Run, row: EntryRow): void {
  const { core, options } = run
  prefetchRemoval(core, row)
  const inode = getInode(core, row.ino)
  complete(run, inode)
  removeKept(core, row, inode, options.isHeld(inode.ino))
  options.nameChanged(row.parent, row.name, row, undefined)
  options.inodeChanged(inode.ino)
}

/** Creates an empty directory at a free name. Throws as `assertFree`, and EDQUOT. */
export function makeDirectory(run: Run, head: EntryHead, place: Spot): Inode {
  const { core } = run
  const { mode, uid, gid } = head
  const from = { mode, uid, gid, rdev: 0, parent: place.parent }
  assertFree(run, place)
  prefetchSpot(core, place)
  const parent = getInode(core, place.parent)
  admit(core, uid, { bytes: 0, files: 1 })
  const made = createInode(core, from, core.moments.next(), false)
  made.nlink = 2
  startDirectory(core, made.ino)
  nameNode(run, place, made)
  parent.nlink++
  run.report.directories++
  return made
}
