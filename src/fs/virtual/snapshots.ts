// Kind: snapshots/. The list is the vault's, the same in every directory; mkdir takes one, rmdir deletes it, mv renames it.

import { EEXIST, ENAMETOOLONG, ENOENT, EPERM, fail } from '../../base/errno.ts'
import { NAME_BYTES_MAX } from '../../base/limits.ts'
import { getInode } from '../../vault/inodes.ts'
import {
  createSnapshot,
  deleteSnapshot,
  findSnapshot,
  listSnapshots,
  renameSnapshot,
} from '../../vault/snapshots.ts'
import { inodeAt } from '../../vault/timeline.ts'
import { ROOT_INO } from '../../vault/vault.ts'
import type { Caller } from '../operations.ts'
import { directoryAttributes, ownedAttributes } from './attributes.ts'
import { plantTree } from './past.ts'
import { placeView } from './place.ts'
import { toName, toText } from './text.ts'
import { pastView } from './tree.ts'
import type { Listed, View, ViewKind, Views } from './view.ts'

const DIRECTORY = 4

/** A directory that is younger than the snapshot is empty in it. */
const emptyKind: ViewKind = {
  attributes: (views, view) => directoryAttributes(views, view, false),
  lookup: () => undefined,
  list: () => [],
}

function snapshotView({ fs }: Views, view: View, name: string, moment: number): View {
  const { directory, number } = view
  // The moment, not the name: after mv it is the same node.
  const key = `snapshot\0${moment}`
  if (inodeAt(fs.core, directory, moment) === undefined)
    return placeView(emptyKind, key, directory, number)
  const tree = plantTree(`${key}\0${directory}`, { moment, directory, root: directory })
  return pastView(tree, directory, DIRECTORY, number, toName(name))
}

/** Snapshots are everybody's: only who owns the vault makes and deletes them. */
function assertOwner({ fs }: Views, caller: Caller): void {
  if (caller.uid !== 0 && caller.uid !== getInode(fs.core, ROOT_INO).uid) fail(EPERM)
}

export const snapshotsKind: ViewKind = {
  attributes: (views, view) => ownedAttributes(views, view, ROOT_INO),
  lookup(views, _caller, view, name) {
    const row = findSnapshot(views.fs.core, toText(name))
    return row === undefined ? undefined : snapshotView(views, view, row.name, row.moment)
  },
  *list(views, _caller, view): Generator<Listed> {
    for (const { name, moment } of listSnapshots(views.fs.core))
      yield {
        name: toName(name),
        type: DIRECTORY,
        view: snapshotView(views, view, name, moment),
      }
  },
  mkdir(views, caller, view, name) {
    assertOwner(views, caller)
    const text = toText(name)
    if (name.length > NAME_BYTES_MAX) fail(ENAMETOOLONG)
    if (findSnapshot(views.fs.core, text) !== undefined) fail(EEXIST)
    return snapshotView(views, view, text, createSnapshot(views.fs.core, text))
  },
  rmdir(views, caller, _view, name) {
    assertOwner(views, caller)
    const text = toText(name)
    if (findSnapshot(views.fs.core, text) === undefined) fail(ENOENT)
    deleteSnapshot(views.fs.core, text)
  },
  rename(views, caller, _view, name, newName) {
    assertOwner(views, caller)
    if (newName.length > NAME_BYTES_MAX) fail(ENAMETOOLONG)
    renameSnapshot(views.fs.core, toText(name), toText(newName))
  },
}
