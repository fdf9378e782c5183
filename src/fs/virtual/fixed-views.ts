// Views that always stand at the same path: .avfs itself and the directories in it. The kernel
// keeps what it knows of them, as every path into the past leads through; here is what tells it of
// changes.

import { addTo, dropFrom } from '../../base/sets.ts'
import { type InodeRow, inode as inodes, tag as tags, xattr } from '../../store/collections.ts'
import { ROOT_INO } from '../../vault/core/inode.ts'
import { shownTag } from '../../vault/core/label-rules.ts'
import { watchSnapshots } from '../../vault/history/snapshots.ts'
import { ACL_ACCESS } from '../../vault/tree/acl.ts'
import { toName } from './text.ts'
import { numberOf, type View, type ViewContext, type ViewKind } from './view.ts'

export const SNAPSHOTS = 'snapshots'
export const TAGS = 'tags'
export const VERSIONS = 'versions'
/** The group of all versions/NAME. */
export const VERSION_LISTS = `${VERSIONS}\0`
export const LATEST = 'latest'
function keyOf(fixedPath: string, directory: number): string {
  return `${fixedPath}\0${directory}`
}

/** The view at a path below the .avfs of a directory. */
export function fixedView(kind: ViewKind, fixedPath: string, directory: number, up: number): View {
  const key = keyOf(fixedPath, directory)
  return { number: numberOf(key), kind, key, ino: 0, directory, up, fixedPath }
}

/** The number of the view at a path, whether the kernel knows it or not. */
export function numberOfFixed(fixedPath: string, directory: number): number {
  return numberOf(keyOf(fixedPath, directory))
}

/** The path of the versions of one name. */
export function versionListPath(name: string): string {
  return VERSION_LISTS + name
}

/** Notes a view that the kernel has begun to know. */
export function noteFixed({ fixed }: ViewContext, { fixedPath, directory, number }: View): void {
  if (fixedPath === undefined) return
  addTo(fixed.byDirectory, directory, number)
  addTo(fixed.byPath, groupOf(fixedPath), number)
}

/** Forgets one that it does not know any more. */
export function forgetFixed({ fixed }: ViewContext, { fixedPath, directory, number }: View): void {
  if (fixedPath === undefined) return
  dropFrom(fixed.byDirectory, directory, number)
  dropFrom(fixed.byPath, groupOf(fixedPath), number)
}

/** A path of two parts belongs to the group of the first: 'tags\0work' to 'tags\0'. */
function groupOf(fixedPath: string): string {
  const end = fixedPath.indexOf('\0')
  return end < 0 ? fixedPath : fixedPath.slice(0, end + 1)
}

/** Owner, permissions or access list of a directory changed: those of its views are the same. */
export function guardChanged({ fs, fixed }: ViewContext, directory: number): void {
  for (const number of fixed.byDirectory.get(directory) ?? []) fs.notices?.attributesChanged(number)
  // snapshots/ has the owner of the root, in every directory.
  if (directory === ROOT_INO)
    for (const number of fixed.byPath.get(SNAPSHOTS) ?? []) fs.notices?.attributesChanged(number)
}

/**
 * The same for changes that did not come through the kernel: by a command, or another caller of the
 * vault.
 */
export function announceGuards(context: ViewContext): void {
  const { overlay } = context.fs.core
  const { byDirectory } = context.fixed
  const guards = ({ mode, uid, gid }: InodeRow): string => `${mode} ${uid} ${gid}`
  overlay.watch(inodes, ([ino], row) => {
    const directory = ino as number
    if (row === undefined || !byDirectory.has(directory)) return
    // The row is put before its fields are changed.
    const before = guards(row)
    queueMicrotask(() => {
      if (guards(row) !== before) guardChanged(context, directory)
    })
  })
  overlay.watch(xattr, ([ino, name]) => {
    const directory = ino as number
    if (name === ACL_ACCESS && byDirectory.has(directory))
      queueMicrotask(() => guardChanged(context, directory))
  })
}

/** The list of snapshots is the same in every directory: whoever changes it changes all of them. */
export function announceSnapshots(context: ViewContext): void {
  watchSnapshots(context.fs.core, (name) => {
    for (const number of context.fixed.byPath.get(SNAPSHOTS) ?? [])
      void context.fs.notices?.entryChanged(number, toName(name))
  })
}

/**
 * The same for labels, which may go by way of one directory while the kernel caches them in others.
 */
export function announceTags(context: ViewContext): void {
  context.fs.core.overlay.watch(tags, ([tag]) => {
    const name = `${tag}`
    // Two labels may be shown alike; the name means the one that is spelt exactly so.
    for (const shown of new Set([name, shownTag(name)]))
      for (const number of context.fixed.byPath.get(TAGS) ?? [])
        void context.fs.notices?.entryChanged(number, toName(shown))
  })
}
