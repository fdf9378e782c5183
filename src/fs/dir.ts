// lookup, opendir, readdir, releasedir.

import { EBADF, ENOENT, fail } from '../base/errno.ts'
import { isDirectory } from '../base/mode.ts'
import type { EntryRow } from '../store/collections.ts'
import { findEntry, listEntries } from '../vault/directory.ts'
import { findInode, getInode } from '../vault/inodes.ts'
import { type FsContext, forgetNode, giveNode, type ListingHandle } from './context.ts'
import { assertName, getDirectory } from './node.ts'
import type { Caller, Node, TakeEntry } from './operations.ts'
import { isOrigin } from './overlay-origin.ts'

const DIRECTORY = 4
/** . and .. come before the names. */
const DOTS = 2

export function lookup(
  fs: FsContext,
  caller: Caller,
  parent: number,
  name: string,
): Node | undefined {
  assertName(name)
  // Asked for when a file handle (open_by_handle_at(2)) leads to an inode that the kernel does not hold.
  if (name === '.') {
    const inode = getInode(fs.core, parent)
    return isOrigin(fs, caller, parent) && !isDirectory(inode.mode)
      ? undefined
      : giveNode(fs, inode)
  }
  const directory = getDirectory(fs.core, parent)
  if (name === '..') return giveNode(fs, getInode(fs.core, directory.parent))
  const row = findEntry(fs.core, parent, name)
  return row === undefined ? undefined : giveNode(fs, getInode(fs.core, row.ino))
}

export function opendir(fs: FsContext, ino: number): { handle: number; cacheable: boolean } {
  const inode = getInode(fs.core, ino)
  if (!isDirectory(inode.mode)) fail(ENOENT)
  const handle = fs.nextHandle++
  fs.listings.set(handle, { rows: undefined })
  return { handle, cacheable: true }
}

/** Entries in byte order of their names, so that positions mean the same in every listing of an unchanged directory. */
function namesOf(fs: FsContext, ino: number, listing: ListingHandle, cookie: number): EntryRow[] {
  if (listing.rows === undefined || cookie === 0)
    listing.rows = listEntries(fs.core, ino).sort((a, b) => (a.name < b.name ? -1 : 1))
  return listing.rows
}

export function readdir(
  fs: FsContext,
  ino: number,
  handle: number,
  cookie: number,
  plus: boolean,
  take: TakeEntry,
): void {
  const listing = fs.listings.get(handle) ?? fail(EBADF)
  const directory = getInode(fs.core, ino)
  if (cookie < 1 && !take('.', ino, DIRECTORY, 1, undefined)) return
  if (cookie < DOTS && !take('..', directory.parent, DIRECTORY, DOTS, undefined)) return
  if (directory.nlink === 0) return
  const rows = namesOf(fs, ino, listing, cookie)
  for (let at = Math.max(0, cookie - DOTS); at < rows.length; at++) {
    const row = rows[at] as EntryRow
    const next = at + DOTS + 1
    // A name that went meanwhile is still listed, as readdir(3) allows; there is no node to give with it.
    const inode = plus ? findInode(fs.core, row.ino) : undefined
    if (inode === undefined) {
      if (!take(row.name, row.ino, row.type, next, undefined)) return
      continue
    }
    const node = giveNode(fs, inode)
    if (take(row.name, row.ino, row.type, next, node)) continue
    forgetNode(fs, row.ino, 1)
    return
  }
}

export function releasedir(fs: FsContext, handle: number): void {
  fs.listings.delete(handle)
}
