// Kind: deleted/, what was deleted in a directory and is not there now, in its latest state. cp and
// mv bring it back.

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
import { MAY_READ, MAY_SEARCH, type Reader, readerOf } from '../access.ts'
import { isHeld } from '../context.ts'
import type { Caller } from '../operations.ts'
import { mightAccess, seesAll, wasAlwaysOpen } from '../past-access.ts'
import { directoryAttributes } from './attributes.ts'
import {
  DELETED_CACHED_MS,
  forceLookup,
  isForcedLookup,
  noteCached,
  untilForgotten,
} from './cached-deleted.ts'
import { pastView } from './past-directory.ts'
import { createPastTree, type PastTree } from './past-tree.ts'
import {
  type ListRequest,
  type View,
  type ViewContext,
  type ViewEntry,
  type ViewKind,
  waiting,
} from './view.ts'

function deletedView(
  context: ViewContext,
  view: View,
  { name, row, until }: DeletedEntry,
  nameMs: number,
): View {
  const key = `deleted\0${view.directory}\0${row.name}\0${until}`
  let moment = until - 1
  let tree: PastTree = createPastTree(key, {
    moment,
    directory: view.directory,
    root: row.ino,
    nameMs,
    until,
  })
  if (row.type === DT_DIR) {
    let known = false
    // Computed when the directory is entered: a listing has many.
    tree = {
      ...tree,
      get moment() {
        if (!known) moment = wholeBefore(context.fs.core, row)
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
  attributes: (context, view) => directoryAttributes(context, view, false),
  lookup(context, caller, view, name) {
    const found = findShown(context, caller, view, name)
    if (found === undefined) return undefined
    const isCacheable =
      !isForcedLookup(context, view.directory, name) && wasAlwaysOpen(context.fs, view.directory)
    if (isCacheable) noteCached(context, view, name)
    return deletedView(context, view, found, isCacheable ? DELETED_CACHED_MS : 0)
  },
  list: (context, caller, view, request) => listDeleted(context, readerOf(caller), view, request),
  moveOut,
}

/** Whether the reader had the access `wanted` to the directory when the name went. */
function mayKnow(
  { fs }: ViewContext,
  reader: Reader,
  { directory }: View,
  { until }: DeletedEntry,
  wanted: number,
): boolean {
  return mightAccess(fs, reader, directory, until - 1, wanted)
}

/**
 * Throws EACCES where the reader may know of the name, but had no access before its removal began.
 */
function findShown(
  context: ViewContext,
  caller: Caller,
  view: View,
  name: string,
): DeletedEntry | undefined {
  const { fs } = context
  const found = findDeleted(fs.core, view.directory, name)
  if (found === undefined || seesAll(fs, caller)) return found
  const reader = readerOf(caller)
  if (!mayKnow(context, reader, view, found, MAY_SEARCH)) return undefined
  const moment = wholeBefore(fs.core, found.row)
  if (!mightAccess(fs, reader, view.directory, moment, MAY_SEARCH)) fail(EACCES)
  return found
}

function* listDeleted(
  context: ViewContext,
  reader: Reader,
  view: View,
  request: ListRequest,
): Generator<ViewEntry | Fault> {
  const { core } = context.fs
  const names = new DeletedNames(core, view.directory)
  const isOpen = yield* waiting(() => wasAlwaysOpen(context.fs, view.directory))
  for (;;) {
    const page = yield* waiting(() => names.next())
    if (page === undefined) return
    yield* waiting(() => {
      if (request.plus)
        readAhead(core, page, ({ row, until }) => ({ ino: row.ino, moment: until - 1 }))
    })
    for (const deleted of page) {
      const isShown = (): boolean => isOpen || mayKnow(context, reader, view, deleted, MAY_READ)
      if (!(yield* waiting(isShown))) continue
      const isCacheable = request.plus && isOpen
      const { name, row } = deleted
      if (isCacheable) noteCached(context, view, name)
      yield {
        name,
        type: row.type,
        view: deletedView(context, view, deleted, isCacheable ? DELETED_CACHED_MS : 0),
      }
    }
  }
}

/**
 * mv out of deleted/ restores the name with its tree. That runs in the background, and the rename
 * is run again after it.
 */
function moveOut(
  context: ViewContext,
  caller: Caller,
  view: View,
  name: string,
  parent: number,
  newName: string,
): void {
  const { fs, finishedRenames } = context
  const key = `${view.number}/${name}\0${parent}/${newName}`
  const done = finishedRenames.get(key)
  if (done !== undefined) {
    finishedRenames.delete(key)
    if (done !== true) throw done
    return
  }
  const { row } = findShown(context, caller, view, name) ?? fail(ENOENT)
  const by = readerOf(caller)
  assertReplaceable(context, parent, newName, row.type === DT_DIR)
  const moment = wholeBefore(fs.core, row)
  forceLookup(context, view.directory, name)
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
      // The kernel moves the name together with the node of the past: by then it must not cache the
      // name any more.
      void announced.sent()
      await untilForgotten(context, view.directory, name)
      finishedRenames.set(key, true)
    } catch (error) {
      if (!(error instanceof FsError)) throw error
      finishedRenames.set(key, error)
    }
  })
}

/** What rename(2) asks of a name that is replaced. */
function assertReplaceable(
  { fs }: ViewContext,
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
