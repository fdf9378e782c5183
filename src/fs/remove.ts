// unlink, rmdir, rename: names that go or move.

import { EEXIST, EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR, ENOTEMPTY, fail } from '../base/errno.ts'
import { isDirectory, S_IFCHR } from '../base/mode.ts'
import {
  DELETED,
  type EntryRow,
  type Fate,
  LOST,
  MOVED,
  RENAMED,
  UNSEEN,
} from '../store/collections.ts'
import { cycleCheck } from '../vault/core/cycles.ts'
import { dropSubdirectory, type Inode, isProvisional, ROOT_INO } from '../vault/core/inode.ts'
import type { Moment } from '../vault/core/moment.ts'
import { isLasting, wouldBeLost } from '../vault/history/lifetimes.ts'
import { tagsOf } from '../vault/tree/attached.ts'
import { findEntry, isWorthKeeping, putEntry, removeEntry } from '../vault/tree/directory.ts'
import { alter, getInode, stampChange } from '../vault/tree/inodes.ts'
import { dropName, moveName } from '../vault/tree/names.ts'
import { prefetchInode, prefetchLoss, prefetchName, prefetchTags } from '../vault/tree/prefetch.ts'
import { claimTags, leaveTags, tagFile, tagsLeftAt } from '../vault/tree/tags.ts'
import { assertChangeable, type FsContext } from './context.ts'
import { makeInode, nameInode } from './create.ts'
import { RENAME_WHITEOUT } from './flags.ts'
import { keepGuards, sealBefore } from './guards.ts'
import { assertNewName, getDirectory } from './node.ts'
import type { Caller } from './operations.ts'

const RENAME_NOREPLACE = 1
const RENAME_EXCHANGE = 2

function getEntry(fs: FsContext, parent: number, name: string): EntryRow {
  return findEntry(fs.core, parent, name) ?? fail(ENOENT)
}

export function unlink(fs: FsContext, parent: number, name: string): void {
  assertChangeable(fs)
  const directory = getDirectory(fs.core, parent)
  const row = getEntry(fs, parent, name)
  const inode = getInode(fs.core, row.ino)
  if (isDirectory(inode.mode)) fail(EISDIR)
  prefetchName(fs.core, directory, name)
  prefetchLoss(fs.core, inode, parent, name)
  const fate = fateOf(fs, inode, row)
  const moment = fs.core.moments.next()
  leaveTags(fs.core, inode, parent, name)
  const isKept = isWorthKeeping(fs.core, inode)
  const traceless = removeEntry(fs.core, directory, row, moment, fate, isKept)
  dropName(fs.core, inode, parent, name, moment, fs.lookups.has(row.ino), traceless)
}

/** History has something to show of a file only when it was complete once. */
function fateOf({ core }: FsContext, inode: Inode, row: EntryRow): Fate {
  if (isProvisional(inode) && inode.journal?.before === undefined) return UNSEEN
  return wouldBeLost(core, row, inode) ? LOST : DELETED
}

export function rmdir(fs: FsContext, parent: number, name: string): void {
  assertChangeable(fs)
  const directory = getDirectory(fs.core, parent)
  const row = getEntry(fs, parent, name)
  const inode = getInode(fs.core, row.ino)
  if (!isDirectory(inode.mode)) fail(ENOTDIR)
  if (inode.size > 0) fail(ENOTEMPTY)
  prefetchName(fs.core, directory, name)
  prefetchLoss(fs.core, inode, parent, name)
  const fate = fateOf(fs, inode, row)
  const moment = fs.core.moments.next()
  const isKept = isWorthKeeping(fs.core, inode)
  const traceless = removeEntry(fs.core, directory, row, moment, fate, isKept)
  dropSubdirectory(directory)
  dropName(fs.core, inode, parent, name, moment, fs.lookups.has(row.ino), traceless)
}

/**
 * rename(2), renameat2(2). A reader sees the old target or the new one, never neither, and the
 * moved inode keeps its number and its versions. RENAME_WHITEOUT leaves a whiteout of overlayfs at
 * the old name, the character device 0:0, in the same step; whoever may rename may do so, because
 * mknod(2) asks for no privilege for that device.
 */
export function rename(
  fs: FsContext,
  caller: Caller,
  parent: number,
  name: string,
  newParent: number,
  newName: string,
  flags: number,
): void {
  assertChangeable(fs)
  assertNewName(newName)
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) !== 0) fail(EINVAL)
  if ((flags & RENAME_EXCHANGE) !== 0 && flags !== RENAME_EXCHANGE) fail(EINVAL)
  const { core } = fs
  const from = getDirectory(core, parent)
  const to = getDirectory(core, newParent)
  const row = getEntry(fs, parent, name)
  const inode = getInode(core, row.ino)
  const other = findEntry(core, newParent, newName)
  if (isDirectory(inode.mode)) assertNotBelow(fs, to, inode.ino)
  if (from !== to) {
    const isExchange = (flags & RENAME_EXCHANGE) !== 0 && other !== undefined
    sealBefore(core, inode, ...(isExchange ? [getInode(core, other.ino)] : []))
  }
  prefetchName(core, from, name)
  prefetchName(core, to, newName)
  prefetchInode(core, inode)
  if ((flags & RENAME_EXCHANGE) !== 0) {
    exchange(fs, from, row, to, other ?? fail(ENOENT))
    return
  }
  if (other !== undefined && (flags & RENAME_NOREPLACE) !== 0) fail(EEXIST)
  // Two names of one inode: rename(2) asks for success and no change.
  if (other?.ino === inode.ino) return
  const target = other === undefined ? undefined : getInode(core, other.ino)
  if (target !== undefined) {
    assertReplaceable(inode, target)
    prefetchLoss(core, target, newParent, newName)
    prefetchTags(core, inode.ino, tagsOf(core, target.ino))
  } else prefetchTags(core, inode.ino, tagsLeftAt(core, newParent, newName))
  if (isDirectory(inode.mode) && from !== to) keepGuards(core, inode)
  const whiteout =
    (flags & RENAME_WHITEOUT) === 0 ? undefined : makeInode(fs, caller, from, S_IFCHR, 0, 0)
  const moment = core.moments.next()
  leaveTags(core, inode, parent, name)
  const traceless = removeEntry(core, from, row, moment, MOVED)
  putEntry(core, to, newName, row, moment, RENAMED, row)
  if (whiteout !== undefined) nameInode(fs, from, name, whiteout)
  if (isDirectory(inode.mode)) {
    dropSubdirectory(from)
    if (target === undefined) to.nlink++
  }
  settle(fs, inode, row, to, newName, moment)
  if (!traceless) inode.born = 0
  inode.movedAt = isLasting(row, moment) ? moment : 0
  if (target === undefined) claimTags(core, inode, newParent, newName)
  else {
    for (const tag of tagsOf(core, target.ino)) tagFile(core, inode, tag)
    dropName(core, target, newParent, newName, moment, fs.lookups.has(target.ino), false)
  }
}

function assertReplaceable(inode: Inode, target: Inode): void {
  if (!isDirectory(inode.mode)) {
    if (isDirectory(target.mode)) fail(EISDIR)
    return
  }
  if (!isDirectory(target.mode)) fail(ENOTDIR)
  if (target.size > 0) fail(ENOTEMPTY)
}

function assertNotBelow(fs: FsContext, directory: Inode, ino: number): void {
  const isCircle = cycleCheck()
  for (let above = directory; above.ino !== ROOT_INO; above = getInode(fs.core, above.parent)) {
    if (above.ino === ino) fail(EINVAL)
    if (isCircle(above.ino)) fail(ELOOP)
  }
}

function exchange(fs: FsContext, from: Inode, row: EntryRow, to: Inode, other: EntryRow): void {
  const { core } = fs
  if (row.ino === other.ino) return
  const inode = getInode(core, row.ino)
  const peer = getInode(core, other.ino)
  if (isDirectory(peer.mode)) assertNotBelow(fs, from, peer.ino)
  prefetchInode(core, peer)
  if (from !== to)
    for (const each of [inode, peer]) if (isDirectory(each.mode)) keepGuards(core, each)
  const moment = core.moments.next()
  putEntry(core, from, row.name, other, moment, RENAMED, other)
  putEntry(core, to, other.name, row, moment, RENAMED, row)
  const moved = Number(isDirectory(inode.mode)) - Number(isDirectory(peer.mode))
  if (moved > 0) dropSubdirectory(from)
  if (moved < 0) dropSubdirectory(to)
  from.nlink += moved < 0 ? 1 : 0
  to.nlink += moved > 0 ? 1 : 0
  settle(fs, inode, row, to, other.name, moment)
  settle(fs, peer, other, from, row.name, moment)
}

/** The moved inode knows its new place, and that it changed. */
function settle(
  fs: FsContext,
  inode: Inode,
  from: EntryRow,
  parent: Inode,
  name: string,
  moment: Moment,
): void {
  alter(fs.core, inode, moment)
  moveName(fs.core, inode, from, { parent: parent.ino, name })
  stampChange(inode, false)
}
