// The nodes of views that always stand in the same place: .avfs itself and the directories in it.

import { numberOf, type View, type ViewKind } from './view.ts'

/** The node of a place below the .avfs of a directory. */
export function placeView(kind: ViewKind, place: string, directory: number, up: number): View {
  const key = `${place}\0${directory}`
  return { number: numberOf(key), kind, key, ino: 0, directory, up }
}
