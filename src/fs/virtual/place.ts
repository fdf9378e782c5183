// The nodes of views that always stand in the same place: .avfs itself and the directories in it. The kernel keeps what it
// knows of them, as every path into the past leads through; here is what tells it of changes.

import { addTo, dropFrom } from '../../base/sets.ts'
import { type InodeRow, inode as inodes, tag as tags, xattr } from '../../store/collections.ts'
import { ROOT_INO } from '../../vault/core/inode.ts'
import { shownTag } from '../../vault/core/label-rules.ts'
import { watchSnapshots } from '../../vault/history/snapshots.ts'
import { ACL_ACCESS } from '../../vault/tree/acl.ts'
import { toName } from './text.ts'
import { numberOf, type View, type ViewKind, type Views } from './view.ts'

export const SNAPSHOTS = 'snapshots'
export const TAGS = 'tags'
export const VERSIONS = 'versions'
/** What each versions/NAME is sorted by. */
export const LISTS = `${VERSIONS}\0`
export const LATEST = 'latest'
function keyOf(place: string, directory: number): string {
  return `${place}\0${directory}`
}

/** The node of a place below the .avfs of a directory. */
export function placeView(kind: ViewKind, place: string, directory: number, up: number): View {
  const key = keyOf(place, directory)
  return { number: numberOf(key), kind, key, ino: 0, directory, up, place }
}

/** The number of a place, whether the kernel knows it or not. */
export function numberOfPlace(place: string, directory: number): number {
  return numberOf(keyOf(place, directory))
}

/** The place of the versions of one name. */
export function listPlace(name: string): string {
  return LISTS + name
}

/** Notes a node that the kernel came to know. */
export function noteHeld({ placed }: Views, { place, directory, number }: View): void {
  if (place === undefined) return
  addTo(placed.byDirectory, directory, number)
  addTo(placed.byPlace, sortOf(place), number)
}

/** And one that it does not know any more. */
export function noteForgotten({ placed }: Views, { place, directory, number }: View): void {
  if (place === undefined) return
  dropFrom(placed.byDirectory, directory, number)
  dropFrom(placed.byPlace, sortOf(place), number)
}

/** What is one of many in a place is of the sort 'PLACE\0'. */
function sortOf(place: string): string {
  const end = place.indexOf('\0')
  return end < 0 ? place : place.slice(0, end + 1)
}

/** Owner, permissions or access list of a directory changed: those of its views are the same. */
export function guardChanged({ fs, placed }: Views, directory: number): void {
  for (const number of placed.byDirectory.get(directory) ?? [])
    fs.notices?.attributesChanged(number)
  // Snapshots belong to who owns the vault.
  if (directory === ROOT_INO)
    for (const number of placed.byPlace.get(SNAPSHOTS) ?? []) fs.notices?.attributesChanged(number)
}

/** The same, of what changed a directory without the kernel: a command, or another caller of the vault. */
export function announceGuards(views: Views): void {
  const { overlay } = views.fs.core
  const { byDirectory } = views.placed
  const guards = ({ mode, uid, gid }: InodeRow): string => `${mode} ${uid} ${gid}`
  overlay.watch(inodes, ([ino], row) => {
    const directory = ino as number
    if (row === undefined || !byDirectory.has(directory)) return
    // It is put before it is changed.
    const before = guards(row)
    queueMicrotask(() => {
      if (guards(row) !== before) guardChanged(views, directory)
    })
  })
  overlay.watch(xattr, ([ino, name]) => {
    const directory = ino as number
    if (name === ACL_ACCESS && byDirectory.has(directory))
      queueMicrotask(() => guardChanged(views, directory))
  })
}

/** The list of snapshots is the same in every directory: whoever changes it changes all of them. */
export function announceSnapshots(views: Views): void {
  watchSnapshots(views.fs.core, (name) => {
    for (const number of views.placed.byPlace.get(SNAPSHOTS) ?? [])
      void views.fs.notices?.entryChanged(number, toName(name))
  })
}

/** So are labels, which go in one directory and are kept in others. */
export function announceTags(views: Views): void {
  views.fs.core.overlay.watch(tags, ([tag]) => {
    const name = `${tag}`
    // Two labels may be spelt alike in a view, and its name means the one that is called so indeed.
    for (const shown of new Set([name, shownTag(name)]))
      for (const number of views.placed.byPlace.get(TAGS) ?? [])
        void views.fs.notices?.entryChanged(number, toName(shown))
  })
}
