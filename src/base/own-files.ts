// Access to files and folders of the host that only this user (and root) may change: whatever is
// read, written or removed under a fixed name in a shared place goes through here. A symbolic link
// at the end of a path is not followed, opening a FIFO does not block, and what belongs to another
// user is refused with advice.

import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
  type Stats,
  statSync,
} from 'node:fs'
import { userInfo } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { groupHasOthers } from './accounts.ts'

const { O_NOCTTY, O_NOFOLLOW, O_NONBLOCK } = constants
const WRITABLE_BY_GROUP = 0o020
const WRITABLE_BY_ALL = 0o002
const STICKY = 0o1000
/** The number of links that the kernel follows in one path. */
export const LINKS_MAX = 40
const ADVICE = 'remove it, or use a folder that only you can write'

/** A file or folder that another user put there, or could change. */
export class StrangerError extends Error {
  readonly path: string
  constructor(path: string, what: string) {
    super(`${path} ${what}`)
    this.name = 'StrangerError'
    this.path = path
  }
}

/** The user of this process; 0 on a platform without users. */
export function ownUser(): number {
  return process.geteuid?.() ?? 0
}

/** Whether files of `uid` can be trusted: it is this user or root. */
export function isTrusted(uid: number): boolean {
  return uid === ownUser() || uid === 0
}

/**
 * Throws StrangerError unless `path` is a folder that only `owner` (by default this user) can write
 * and that no other user can replace: nobody else owns or can write the folders that lead to it,
 * except those with the sticky bit, such as /tmp.
 */
export function assertOwnFolder(path: string, owner = ownUser()): void {
  const found = walk(path, owner)
  if (!found.isDirectory()) throw new StrangerError(path, `is no directory: ${ADVICE}`)
  const wanted = `must be a directory of ${owner === ownUser() ? 'your own' : `user ${owner}`}`
  if (found.uid !== owner)
    throw new StrangerError(path, `${wanted}, and belongs to user ${found.uid}`)
  if (othersWrite(found, false))
    throw new StrangerError(path, `${wanted} that nobody else can write: chmod go-w ${path}`)
}

export function isOwnFolder(path: string): boolean {
  try {
    assertOwnFolder(path)
    return true
  } catch {
    return false
  }
}

/** Checks each step of a path, and each link on it. Returns the stat of its end. */
function walk(path: string, owner: number): Stats {
  let at = '/'
  let found = lstatSync(at)
  const root = found.uid
  let names = resolve(path).split('/').reverse()
  for (let links = 0; names.length > 0; ) {
    const name = names.pop() as string
    if (name === '' || name === '.') continue
    if (name === '..') {
      at = dirname(at)
      found = lstatSync(at)
      continue
    }
    const next = join(at, name)
    found = lstatSync(next)
    // In a user namespace the host's root has another uid, the overflow uid that all unmapped users
    // share.
    const isHosts = found.isDirectory() && found.uid === root
    if (found.uid !== owner && !isTrusted(found.uid) && !isHosts)
      throw new StrangerError(next, `belongs to user ${found.uid}, on the way to ${path}`)
    if (found.isSymbolicLink()) {
      if (++links > LINKS_MAX) throw new StrangerError(path, 'has too many links on its way')
      const target = readlinkSync(next)
      if (target.startsWith('/')) at = '/'
      names = [...names, ...target.split('/').reverse()]
      continue
    }
    if (names.length > 0 && othersWrite(found, true))
      throw new StrangerError(
        next,
        `can be written by other users, on the way to ${path}: chmod go-w ${next}`,
      )
    at = next
  }
  return found
}

/** With `sticky`, a folder in which others can change only their own files does not count. */
function othersWrite({ mode, gid }: Stats, sticky: boolean): boolean {
  if (sticky && (mode & STICKY) !== 0) return false
  if ((mode & WRITABLE_BY_ALL) !== 0) return true
  return (mode & WRITABLE_BY_GROUP) !== 0 && groupHasOthers(gid, userName())
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // A user without a line in /etc/passwd.
    return ''
  }
}

/**
 * Opens a regular file that belongs to this user or root; `flags` are those of open(2). In a folder
 * that others can write, the file must have a single name, since a second may be a hard link that
 * another user made to a file of ours. Throws StrangerError, or the error of open(2).
 */
export function openOwn(path: string, flags: number, mode = 0o600): number {
  const fd = openNamed(path, flags, mode)
  try {
    const found = fstatSync(fd)
    if (!isOwnFile(found, path)) throw new StrangerError(path, `${strangeness(found)}: ${ADVICE}`)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/**
 * Opens a regular file, whoever owns it. Throws StrangerError for a link or anything else, or the
 * error of open(2).
 */
export function openNamed(path: string, flags: number, mode = 0o600): number {
  let fd: number
  try {
    fd = openSync(path, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, mode)
  } catch (error) {
    // The errno depends on the type of file, and on the kernel's protections
    // (fs.protected_symlinks).
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found?.isSymbolicLink() === true) throw new StrangerError(path, `is a link: ${ADVICE}`)
    if (found?.isFile() === false) throw new StrangerError(path, `is no regular file: ${ADVICE}`)
    throw error
  }
  if (fstatSync(fd).isFile()) return fd
  closeSync(fd)
  throw new StrangerError(path, `is no regular file: ${ADVICE}`)
}

/** Whether an open file, found at `path`, can be trusted and written. */
export function isOwnFile(found: Stats, path: string): boolean {
  const isOurs = isTrusted(found.uid) || isFolderOwners(found.uid, path)
  return isOurs && (found.nlink <= 1 || isOwnFolder(dirname(path)))
}

/** Root may use files of a folder's owner, who can change everything in that folder anyway. */
function isFolderOwners(uid: number, path: string): boolean {
  return ownUser() === 0 && statSync(dirname(path)).uid === uid
}

function strangeness({ uid, nlink }: Stats): string {
  if (!isTrusted(uid)) return `belongs to user ${uid}`
  return nlink > 1 ? 'has another name elsewhere' : 'is not yours'
}

/**
 * The text of an own file of at most `bytesMax`, or undefined if there is none. Throws
 * StrangerError, also if the file is longer.
 */
export function readOwn(path: string, bytesMax: number): string | undefined {
  let fd: number
  try {
    fd = openOwn(path, constants.O_RDONLY)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  try {
    return readText(fd, bytesMax, path)
  } finally {
    closeSync(fd)
  }
}

/** All of an open file. Throws StrangerError if it has more than `bytesMax`. */
export function readText(fd: number, bytesMax: number, path: string): string {
  const bytes = Buffer.alloc(bytesMax + 1)
  const length = readSync(fd, bytes, 0, bytes.length, 0)
  if (length > bytesMax) throw new StrangerError(path, `is too long to be of avfs: ${ADVICE}`)
  return bytes.toString('utf8', 0, length)
}
