// Kind: snapshots/. The list is the vault's, the same in every directory; mkdir takes one, rmdir
// deletes it, mv renames it.

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
import { readerOf } from '../access.ts'
import type { Caller } from '../operations.ts'
import { mightEnter, wasOpen } from '../past-access.ts'
import { directoryAttributes, ownedAttributes } from './attributes.ts'
import { fixedView } from './fixed-views.ts'
import { pastView } from './past-directory.ts'
import { createPastTree } from './past-tree.ts'
import { shownName, textOf, toName } from './text.ts'
import { type View, type ViewContext, type ViewEntry, type ViewKind, waiting } from './view.ts'

/** A directory that is younger than the snapshot is empty in it. */
const emptyKind: ViewKind = {
  tick: () => 0,
  attributes: (context, view) => directoryAttributes(context, view, false),
  lookup: () => undefined,
  list: () => [],
}

function snapshotView(context: ViewContext, view: View, name: string, moment: number): View {
  return viewOf(view, name, moment, directoryAt(context, view, moment))
}

/** What the directory was at a moment; undefined if it was not there. */
function directoryAt({ fs }: ViewContext, { directory }: View, moment: number): Then | undefined {
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
  if (then === undefined) return fixedView(emptyKind, key, directory, number)
  const nameMs = then.isOpen ? undefined : 0
  const tree = createPastTree(`${key}\0${directory}`, {
    moment,
    directory,
    root: directory,
    nameMs,
  })
  return pastView(tree, directory, DT_DIR, number, toName(name))
}

function rowOf({ fs }: ViewContext, name: string): SnapshotRow | undefined {
  const text = textOf(name)
  return text === undefined ? undefined : findSnapshot(fs.core, text)
}

/** Snapshots are shared by all users: only the owner of the vault makes and deletes them. */
function assertOwner({ fs }: ViewContext, caller: Caller): void {
  if (caller.uid !== 0 && caller.uid !== getInode(fs.core, ROOT_INO).uid) fail(EPERM)
}

export const snapshotsKind: ViewKind = {
  tick: ({ ticks }) => ticks.snapshots(),
  attributes: (context, view) => ownedAttributes(context, view, ROOT_INO),
  lookup(context, caller, view, name) {
    const row = rowOf(context, name)
    if (row === undefined) return undefined
    if (!mightEnter(context.fs, readerOf(caller), view.directory, row.moment)) fail(EACCES)
    return snapshotView(context, view, row.name, row.moment)
  },
  *list(context, _caller, view): Generator<ViewEntry | Fault> {
    for (const { name, moment } of yield* waiting(() => listSnapshots(context.fs.core))) {
      const node = yield* waiting(() => snapshotView(context, view, name, moment))
      yield { name: toName(name), type: DT_DIR, view: node }
    }
  },
  mkdir(context, caller, view, name) {
    assertOwner(context, caller)
    const text = shownName(name)
    if (findSnapshot(context.fs.core, text) !== undefined) fail(EEXIST)
    // Read before anything changes: the snapshot will show the directory as it is now.
    const { core } = context.fs
    const then = directoryAt(context, view, core.moments.last)
    return viewOf(view, text, createSnapshot(core, text), then)
  },
  rmdir(context, caller, _view, name) {
    assertOwner(context, caller)
    deleteSnapshot(context.fs.core, (rowOf(context, name) ?? fail(ENOENT)).name)
  },
  rename(context, caller, _view, name, newName) {
    assertOwner(context, caller)
    const { name: text } = rowOf(context, name) ?? fail(ENOENT)
    renameSnapshot(context.fs.core, text, shownName(newName))
  },
}
