// Who may read and search what, for listings that gather names from other directories: the kernel
// checks only the path that somebody walks, so that what they list must be reachable by walking.
// Access lists count (acl(5)).

import { readFileSync } from 'node:fs'
import type { Core } from '../vault/core/core.ts'
import { cycleCheck } from '../vault/core/cycles.ts'
import type { Inode } from '../vault/core/inode.ts'
import { ACL_ACCESS, allowedByAcl } from '../vault/tree/acl.ts'
import { getXattr } from '../vault/tree/attached.ts'
import { findInode } from '../vault/tree/inodes.ts'
import type { Caller } from './operations.ts'

export const MAY_READ = 4
export const MAY_WRITE = 2
export const MAY_SEARCH = 1
/** To find by walking what nobody has told of. */
export const MAY_WALK = MAY_READ | MAY_SEARCH

/** A caller with all groups, good beyond the call. */
export interface Reader {
  readonly uid: number
  readonly groups: ReadonlySet<number>
}

/** Owner, group and permissions of something now or then. */
interface Guarded {
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

export function readerOf({ uid, gid, pid }: Caller): Reader {
  const groups = new Set([gid])
  if (uid === 0) return { uid, groups }
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    const listed = /^Groups:\s*(.*)$/m.exec(status)?.[1] ?? ''
    for (const group of listed.split(/\s+/)) if (group !== '') groups.add(Number(group))
  } catch {
    // The caller is gone, or in another PID namespace: no other group is known.
  }
  return { uid, groups }
}

/** The same for all who may do the same. */
export function keyOf({ uid, groups }: Reader): string {
  return `${uid}\0${[...groups].join()}`
}

/**
 * Whether permissions let the reader do all of `wanted`; root may do anything. `acl`: the access
 * list, where there is one.
 */
export function may(
  reader: Reader,
  { mode, uid, gid }: Guarded,
  acl: Uint8Array | undefined,
  wanted: number,
): boolean {
  if (reader.uid === 0) return true
  if (reader.uid === uid) return ((mode >> 6) & wanted) === wanted
  if (acl !== undefined) return allowedByAcl(acl, reader, gid, wanted)
  return ((reader.groups.has(gid) ? mode >> 3 : mode) & wanted) === wanted
}

/** The same for an inode as it is now. */
export function mayNow(core: Core, reader: Reader, inode: Inode, wanted: number): boolean {
  return may(reader, inode, getXattr(core, inode, ACL_ACCESS), wanted)
}

/**
 * The names from `top` down to `name` in directory `parent`; undefined when that is not below
 * `top`, or when the reader may not do all of `wanted` in a directory on the way. The right to come
 * to `top` is the caller's to check.
 */
export function pathBelow(
  core: Core,
  reader: Reader,
  top: number,
  parent: number,
  name: string,
  wanted = MAY_SEARCH,
): string[] | undefined {
  const names = [name]
  const isCircle = cycleCheck()
  for (let ino = parent; ino !== top; ) {
    const directory = findInode(core, ino)
    if (directory === undefined || directory.nlink === 0 || isCircle(ino)) return undefined
    if (!mayNow(core, reader, directory, wanted)) return undefined
    names.push(directory.name)
    ino = directory.parent
  }
  return names.reverse()
}

const OPEN_TO_ALL = 0o555

/** Whether everybody may list such a directory and go through it, whoever it is. */
export function isOpenToEverybody({
  mode,
  acl,
}: {
  readonly mode: number
  readonly acl: Uint8Array | undefined
}): boolean {
  return (mode & OPEN_TO_ALL) === OPEN_TO_ALL && acl === undefined
}

/** The same for a directory as it is now. */
export function isOpenToAll(core: Core, directory: Inode): boolean {
  return isOpenToEverybody({ mode: directory.mode, acl: getXattr(core, directory, ACL_ACCESS) })
}

/**
 * Whether everybody may walk from a directory that `known` has down to this one. `known` gets what
 * is found out.
 */
export function isWayOpen(core: Core, directory: number, known: Map<number, boolean>): boolean {
  const way: number[] = []
  const isCircle = cycleCheck()
  let isOpen: boolean | undefined
  for (let ino = directory; isOpen === undefined; ) {
    isOpen = known.get(ino)
    if (isOpen !== undefined) break
    way.push(ino)
    const inode = findInode(core, ino)
    if (inode === undefined || isCircle(ino) || !isOpenToAll(core, inode)) isOpen = false
    else ino = inode.parent
  }
  for (const ino of way) known.set(ino, isOpen)
  return isOpen
}
