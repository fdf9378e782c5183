// Kind: deleted/, what was deleted in a directory and is not there now, in its latest state. cp and mv bring it back.

import { EACCES, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, FsError, fail } from '../../base/errno.ts'
import { DT_DIR, isDirectory } from '../../base/mode.ts'
import { Fault } from '../../store/store.ts'
import { type DeletedEntry, DeletedNames, findDeleted } from '../../vault/history/deleted.ts'
import { readAhead } from '../../vault/history/past-states.ts'
import { wholeBefore } from '../../vault/history/removal.ts'
import { restoreTree } from '../../vault/history/restore.ts'
import { announcer } from '../../vault/tree/announce.ts'
import { findEntry } from '../../vault/tree/directory.ts'
import { findInode } from '../../vault/tree/inodes.ts'
import { isHeld } from '../context.ts'
import type { Caller } from '../operations.ts'
import { mightCome, seesAll, wasAlwaysOpen } from '../past-rights.ts'
import { MAY_READ, MAY_SEARCH, type Reader, readerOf } from '../reach.ts'
import { directoryAttributes } from './attributes.ts'
import { plantTree, type Tree } from './past.ts'
import { askAnew, isAskedAnew, noteShown, SHOWN_MS, untilForgotten } from './shown.ts'
import { pastView } from './tree.ts'
import { type Asked, type Listed, type View, type ViewKind, type Views, waiting } from './view.ts'

function deletedView(
  views: Views,
  view: View,
  { name, row, until }: DeletedEntry,
  nameMs: number,
): View {
  const key = `deleted\0${view.directory}\0${row.name}\0${until}`
  let moment = until - 1
  let tree: Tree = plantTree(key, {
    moment,
    directory: view.directory,
    root: row.ino,
    nameMs,
    until,
  })
  if (row.type === DT_DIR) {
    let known = false
    // Found out when the directory is entered: a listing has many.
    tree = {
      ...tree,
      get moment() {
        if (!known) moment = wholeBefore(views.fs.core, row)
        known = true
        return moment
      },
    }
  }
  return pastView(tree, row.ino, row.type, view.number, name)
}

export const deletedKind: ViewKind = {
  tick: ({ ticks }, { directory }) => ticks.names(directory),
  isCommon: ({ fs }, { directory }) => wasAlwaysOpen(fs, directory),
  attributes: (views, view) => directoryAttributes(views, view, false),
  lookup(views, caller, view, name) {
    const found = findShown(views, caller, view, name)
    if (found === undefined) return undefined
    const isKept =
      !isAskedAnew(views, view.directory, name) && wasAlwaysOpen(views.fs, view.directory)
    if (isKept) noteShown(views, view, name)
    return deletedView(views, view, found, isKept ? SHOWN_MS : 0)
  },
  list: (views, caller, view, asked) => listDeleted(views, readerOf(caller), view, asked),
  giveBack,
}

/** Whether the reader might do that in the directory when the name went. */
function mayKnow(
  { fs }: Views,
  reader: Reader,
  { directory }: View,
  { until }: DeletedEntry,
  wanted: number,
): boolean {
  return mightCome(fs, reader, directory, until - 1, wanted)
}

/** Throws EACCES where the name may be known, but not what was there before its removal began. */
function findShown(
  views: Views,
  caller: Caller,
  view: View,
  name: string,
): DeletedEntry | undefined {
  const { fs } = views
  const found = findDeleted(fs.core, view.directory, name)
  if (found === undefined || seesAll(fs, caller)) return found
  const reader = readerOf(caller)
  if (!mayKnow(views, reader, view, found, MAY_SEARCH)) return undefined
  const moment = wholeBefore(fs.core, found.row)
  if (!mightCome(fs, reader, view.directory, moment, MAY_SEARCH)) fail(EACCES)
  return found
}

function* listDeleted(
  views: Views,
  reader: Reader,
  view: View,
  asked: Asked,
): Generator<Listed | Fault> {
  const { core } = views.fs
  const names = new DeletedNames(core, view.directory)
  const isOpen = yield* waiting(() => wasAlwaysOpen(views.fs, view.directory))
  for (;;) {
    const page = yield* waiting(() => names.next())
    if (page === undefined) return
    yield* waiting(() => {
      if (asked.plus)
        readAhead(core, page, ({ row, until }) => ({ ino: row.ino, moment: until - 1 }))
    })
    for (const its of page) {
      const isShown = (): boolean => isOpen || mayKnow(views, reader, view, its, MAY_READ)
      if (!(yield* waiting(isShown))) continue
      const isKept = asked.plus && isOpen
      const { name, row } = its
      if (isKept) noteShown(views, view, name)
      yield { name, type: row.type, view: deletedView(views, view, its, isKept ? SHOWN_MS : 0) }
    }
  }
}

/** mv: the name comes back with all that it had. Other work goes on meanwhile, so that the rename is asked for twice. */
function giveBack(
  views: Views,
  caller: Caller,
  view: View,
  name: string,
  parent: number,
  newName: string,
): void {
  const { fs, returns } = views
  const key = `${view.number}/${name}\0${parent}/${newName}`
  const done = returns.get(key)
  if (done !== undefined) {
    returns.delete(key)
    if (done !== true) throw done
    return
  }
  const { row } = findShown(views, caller, view, name) ?? fail(ENOENT)
  const by = readerOf(caller)
  assertReplaceable(views, parent, newName, row.type === DT_DIR)
  const moment = wholeBefore(fs.core, row)
  askAnew(views, view.directory, name)
  const announced = announcer(
    fs.core,
    fs.notices && { ...fs.notices, holds: (ino) => isHeld(fs, ino) },
  )
  const options = {
    ...announced,
    removeNewer: false,
    isRename: true,
    by,
    heard: () => undefined,
  }
  throw new Fault(async () => {
    try {
      await restoreTree(fs.core, { ino: row.ino, moment }, { parent, name: newName }, options)
      // The kernel moves the name with what it led to: by then it must want to ask where it leads.
      void announced.sent()
      await untilForgotten(views, view.directory, name)
      returns.set(key, true)
    } catch (error) {
      if (!(error instanceof FsError)) throw error
      returns.set(key, error)
    }
  })
}

/** What rename(2) asks of a name that is replaced. */
function assertReplaceable(
  { fs }: Views,
  parent: number,
  name: string,
  byDirectory: boolean,
): void {
  const row = findEntry(fs.core, parent, name)
  const target = row === undefined ? undefined : findInode(fs.core, row.ino)
  if (target === undefined) return
  if (isDirectory(target.mode) !== byDirectory) fail(byDirectory ? ENOTDIR : EISDIR)
  if (byDirectory && target.size > 0) fail(ENOTEMPTY)
}
