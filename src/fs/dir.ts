// lookup, opendir, readdir, releasedir.

import { EBADF, ENOENT, fail } from '../base/errno.ts'
import { DT_DIR, isDirectory } from '../base/mode.ts'
import { findEntry } from '../vault/tree/directory.ts'
import { findInode, getInode } from '../vault/tree/inodes.ts'
import { type FsContext, forgetNode, giveNode, type OpenDirectory } from './context.ts'
import { countUpTo, type ListedName, type Listing } from './directory-listings.ts'
import { assertName, getDirectory } from './node.ts'
import type { Caller, Node, TakeEntry } from './operations.ts'
import { isOrigin } from './overlay-origin.ts'

/** . and .. come before the names. */
export const DOTS = 2
const NOTHING: Listing = { names: [] }

export function lookup(
  fs: FsContext,
  caller: Caller,
  parent: number,
  name: string,
): Node | undefined {
  assertName(name)
  // Asked for when a file handle (open_by_handle_at(2)) leads to an inode that the kernel does not
  // hold.
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

export function opendir(
  fs: FsContext,
  { uid, pid }: Caller,
  ino: number,
): { handle: number; cacheable: boolean } {
  const inode = getInode(fs.core, ino)
  if (!isDirectory(inode.mode)) fail(ENOENT)
  const handle = fs.handles.open(uid)
  fs.listers.begin(pid, ino)
  fs.open.set(handle, { listing: undefined, shift: 0, last: undefined })
  return { handle, cacheable: true }
}

/**
 * The listing of a handle, which begins anew at the beginning, and goes on behind the last name
 * when it was let go of.
 */
function listingOf(fs: FsContext, ino: number, open: OpenDirectory, cookie: number): Listing {
  const { listing, last } = open
  if (listing !== undefined && cookie > 0 && fs.listings.use(listing)) return listing
  const next = fs.listings.begin(ino)
  if (listing !== undefined) fs.listings.end(listing)
  open.listing = next
  open.shift =
    cookie === 0 || last === undefined ? 0 : last.cookie - DOTS - countUpTo(next.names, last.name)
  if (cookie === 0) open.last = undefined
  return next
}

export function readdir(
  fs: FsContext,
  { pid }: Caller,
  ino: number,
  handle: number,
  cookie: number,
  plus: boolean,
  take: TakeEntry,
): void {
  const open = fs.open.get(handle) ?? fail(EBADF)
  const directory = getInode(fs.core, ino)
  const { names } = directory.nlink === 0 ? NOTHING : listingOf(fs, ino, open, cookie)
  if (cookie < 1 && !take('.', ino, DT_DIR, 1, undefined)) return
  if (cookie < DOTS && !take('..', directory.parent, DT_DIR, DOTS, undefined)) return
  const { shift } = open
  for (let index = Math.max(0, cookie - DOTS - shift); index < names.length; index++) {
    const { name, ino: child, type } = names[index] as ListedName
    const next = index + DOTS + 1 + shift
    // A name that went meanwhile is still listed, as readdir(3) allows; there is no node to give
    // with it.
    const isFull = plus && (type === DT_DIR || fs.listers.wants(pid, ino, name))
    const inode = isFull ? findInode(fs.core, child) : undefined
    const node = inode && giveNode(fs, inode)
    if (!take(name, child, type, next, node)) {
      if (node !== undefined) forgetNode(fs, child, 1)
      return
    }
    open.last = { name, cookie: next }
  }
}

export function releasedir(fs: FsContext, handle: number): void {
  const listing = fs.open.get(handle)?.listing
  if (listing !== undefined) fs.listings.end(listing)
  fs.open.delete(handle)
  fs.handles.close(handle)
}
