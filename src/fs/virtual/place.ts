// The nodes of views that always stand in the same place: .avfs itself and the directories in it. The kernel keeps what it
// knows of them, as every path into the past leads through; here is what tells it of changes.

import { tag as tags } from '../../store/collections.ts'
import { shownTag } from '../../vault/labels.ts'
import { watchSnapshots } from '../../vault/snapshots.ts'
import { ROOT_INO } from '../../vault/vault.ts'
import { toName } from './text.ts'
import { AVFS_NAME, numberOf, type View, type ViewKind, type Views } from './view.ts'

export const SNAPSHOTS = 'snapshots'
export const TAGS = 'tags'
export const VERSIONS = 'versions'
const PLACES = [AVFS_NAME, 'at', 'deleted', 'search', SNAPSHOTS, TAGS, VERSIONS]

function keyOf(place: string, directory: number): string {
  return `${place}\0${directory}`
}

/** The number of a place below the .avfs of a directory. */
export function placeNumber(place: string, directory: number): number {
  return numberOf(keyOf(place, directory))
}

/** The node of a place below the .avfs of a directory. */
export function placeView(kind: ViewKind, place: string, directory: number, up: number): View {
  const key = keyOf(place, directory)
  return { number: numberOf(key), kind, key, ino: 0, directory, up }
}

/** Owner, permissions or access list of a directory changed: those of its views are the same. */
export function guardChanged({ fs, held }: Views, directory: number): void {
  if (held.size === 0) return
  for (const place of PLACES) {
    const number = placeNumber(place, directory)
    if (held.has(number)) fs.notices?.attributesChanged(number)
  }
  // Snapshots belong to who owns the vault.
  if (directory === ROOT_INO)
    for (const number of heldPlaces({ held }, SNAPSHOTS)) fs.notices?.attributesChanged(number)
}

/** The list of snapshots is the same in every directory: whoever changes it changes all of them. */
export function announceSnapshots(views: Views): void {
  watchSnapshots(views.fs.core, (name) => {
    for (const number of heldPlaces(views, SNAPSHOTS))
      void views.fs.notices?.entryChanged(number, toName(name))
  })
}

/** So are labels, which go in one directory and are kept in others. */
export function announceTags(views: Views): void {
  views.fs.core.overlay.watch(tags, ([tag]) => {
    const name = `${tag}`
    // Two labels may be spelt alike in a view, and its name means the one that is called so indeed.
    for (const shown of new Set([name, shownTag(name)]))
      for (const number of heldPlaces(views, TAGS))
        void views.fs.notices?.entryChanged(number, toName(shown))
  })
}

function* heldPlaces({ held }: Pick<Views, 'held'>, place: string): Generator<number> {
  for (const { view } of held.values())
    if (view.key === keyOf(place, view.directory)) yield view.number
}
