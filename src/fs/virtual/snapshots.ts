// Kind: snapshots/. The list is the vault's, the same in every directory; mkdir takes one, rmdir deletes it, mv renames it.

import { EACCES, EEXIST, ENOENT, EPERM, fail } from '../../base/errno.ts'
import { DT_DIR } from '../../base/mode.ts'
import type { Fault } from '../../store/store.ts'
import { ROOT_INO } from '../../vault/core/inode.ts'
import {
  createSnapshot,
  deleteSnapshot,
  findSnapshot,
  listSnapshots,
  renameSnapshot,
  type SnapshotRow,
} from '../../vault/history/snapshots.ts'
import { inodeAt } from '../../vault/history/timeline.ts'
import { getInode } from '../../vault/tree/inodes.ts'
import type { Caller } from '../operations.ts'
import { mightReach, wasOpen } from '../past-rights.ts'
import { readerOf } from '../reach.ts'
import { directoryAttributes, ownedAttributes } from './attributes.ts'
import { plantTree } from './past.ts'
import { placeView } from './place.ts'
import { shownName, textOf, toName } from './text.ts'
import { pastView } from './tree.ts'
import { type Listed, type View, type ViewKind, type Views, waiting } from './view.ts'

/** A directory that is younger than the snapshot is empty in it. */
const emptyKind: ViewKind = {
  tick: () => 0,
  attributes: (views, view) => directoryAttributes(views, view, false),
  lookup: () => undefined,
  list: () => [],
}

function snapshotView(views: Views, view: View, name: string, moment: number): View {
  return viewOf(view, name, moment, directoryAt(views, view, moment))
}

/** What the directory was at a moment; undefined if it was not there. */
function directoryAt({ fs }: Views, { directory }: View, moment: number): Then | undefined {
  const isThere = inodeAt(fs.core, directory, moment) !== undefined
  return isThere ? { isOpen: wasOpen(fs, directory, moment) } : undefined
}

interface Then {
  readonly isOpen: boolean
}

function viewOf(view: View, name: string, moment: number, then: Then | undefined): View {
  const { directory, number } = view
  // The moment, not the name: after mv it is the same node.
  const key = `snapshot\0${moment}`
  if (then === undefined) return placeView(emptyKind, key, directory, number)
  const nameMs = then.isOpen ? undefined : 0
  const tree = plantTree(`${key}\0${directory}`, { moment, directory, root: directory, nameMs })
  return pastView(tree, directory, DT_DIR, number, toName(name))
}

function rowOf({ fs }: Views, name: string): SnapshotRow | undefined {
  const text = textOf(name)
  return text === undefined ? undefined : findSnapshot(fs.core, text)
}

/** Snapshots are everybody's: only who owns the vault makes and deletes them. */
function assertOwner({ fs }: Views, caller: Caller): void {
  if (caller.uid !== 0 && caller.uid !== getInode(fs.core, ROOT_INO).uid) fail(EPERM)
}

export const snapshotsKind: ViewKind = {
  tick: ({ ticks }) => ticks.snapshots(),
  attributes: (views, view) => ownedAttributes(views, view, ROOT_INO),
  lookup(views, caller, view, name) {
    const row = rowOf(views, name)
    if (row === undefined) return undefined
    if (!mightReach(views.fs, readerOf(caller), view.directory, row.moment)) fail(EACCES)
    return snapshotView(views, view, row.name, row.moment)
  },
  *list(views, _caller, view): Generator<Listed | Fault> {
    for (const { name, moment } of yield* waiting(() => listSnapshots(views.fs.core))) {
      const node = yield* waiting(() => snapshotView(views, view, name, moment))
      yield { name: toName(name), type: DT_DIR, view: node }
    }
  },
  mkdir(views, caller, view, name) {
    assertOwner(views, caller)
    const text = shownName(name)
    if (findSnapshot(views.fs.core, text) !== undefined) fail(EEXIST)
    // Read before something changes: as of the snapshot it is as now.
    const { core } = views.fs
    const then = directoryAt(views, view, core.moments.last)
    return viewOf(view, text, createSnapshot(core, text), then)
  },
  rmdir(views, caller, _view, name) {
    assertOwner(views, caller)
    deleteSnapshot(views.fs.core, (rowOf(views, name) ?? fail(ENOENT)).name)
  },
  rename(views, caller, _view, name, newName) {
    assertOwner(views, caller)
    const { name: text } = rowOf(views, name) ?? fail(ENOENT)
    renameSnapshot(views.fs.core, text, shownName(newName))
  },
}
