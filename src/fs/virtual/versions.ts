// Kind: versions/, with a directory for each file that is or was here. See version-list.ts for what is in them.

import { DT_DIR, DT_REG } from '../../base/mode.ts'
import { type EntryPastRow, entry, entryPast } from '../../store/collections.ts'
import { scanPages } from '../../store/pages.ts'
import { Fault } from '../../store/store.ts'
import { DeletedNames } from '../../vault/history/deleted.ts'
import { findEntry } from '../../vault/tree/directory.ts'
import type { FsContext } from '../context.ts'
import type { Caller } from '../operations.ts'
import { mightCome, seesAll, wasAlwaysOpen } from '../past-rights.ts'
import { MAY_READ, MAY_SEARCH, type Reader, readerOf } from '../reach.ts'
import { directoryAttributes } from './attributes.ts'
import { listPlace, placeView } from './place.ts'
import { hasVersions, KNOWN_MS, type VersionListView, versionListKind } from './version-list.ts'
import { KEPT_MS, type Listed, type View, type ViewKind, type Views, waiting } from './view.ts'

/** Spans of a name that are looked at. */
const SPANS_MAX = 10_000
/** Names read at a time. */
const PAGE_ROWS = 1024

function listView({ directory, number }: View, name: string, nameMs: number): VersionListView {
  return { ...placeView(versionListKind, listPlace(name), directory, number), name, nameMs }
}

export const versionsKind: ViewKind = {
  tick: ({ ticks }, { directory }) => ticks.names(directory),
  isCommon: ({ fs }, { directory }) => wasAlwaysOpen(fs, directory),
  attributes: (views, view) => directoryAttributes(views, view, false),
  lookup({ fs }, caller, view, name) {
    const { directory } = view
    const present = findEntry(fs.core, directory, name)
    if (present?.type === DT_REG) return listView(view, name, KEPT_MS)
    if (!hasVersions(fs.core, directory, name)) return undefined
    if (!seesAll(fs, caller)) {
      const spans = fs.core.overlay.scan(entryPast, spansOf(directory, name))
      const reader = readerOf(caller)
      if (!spans.some((row) => mayKnow(fs, reader, row, MAY_SEARCH))) return undefined
    }
    return listView(view, name, wasAlwaysOpen(fs, directory) ? KNOWN_MS : 0)
  },
  *list(views, caller, view): Generator<Listed | Fault> {
    const { directory } = view
    const range = { gte: [directory], lt: [directory + 1] }
    const pages = scanPages(views.fs.core.overlay, entry, range, PAGE_ROWS)
    for (;;) {
      const page = yield* waiting(pages)
      if (page === undefined) break
      for (const { name, type } of page)
        if (type === DT_REG) yield { name, type: DT_DIR, view: listView(view, name, KEPT_MS) }
    }
    const nameMs = (yield* waiting(() => wasAlwaysOpen(views.fs, view.directory))) ? KEPT_MS : 0
    for (const name of deletedNames(views, caller, view))
      yield name instanceof Fault
        ? name
        : { name, type: DT_DIR, view: listView(view, name, nameMs) }
  },
}

function spansOf(directory: number, name: string) {
  return { gte: [directory, name], lt: [directory, `${name}\0`], limit: SPANS_MAX }
}

/** Whether the reader might do that in the directory when the name came to it, or when it went. */
function mayKnow(
  fs: FsContext,
  reader: Reader,
  { parent, since, until }: EntryPastRow,
  wanted: number,
): boolean {
  return [until - 1, since].some((moment) => mightCome(fs, reader, parent, moment, wanted))
}

function* deletedNames(
  { fs }: Views,
  caller: Caller,
  { directory }: View,
): Generator<string | Fault> {
  const reader = readerOf(caller)
  const names = new DeletedNames(fs.core, directory)
  for (let last: string | undefined; ; ) {
    const page = yield* waiting(() => names.next())
    if (page === undefined) return
    for (const { row } of page) {
      if (row.type !== DT_REG || row.name === last) continue
      if (!(yield* waiting(() => mayKnow(fs, reader, row, MAY_READ)))) continue
      last = row.name
      yield row.name
    }
  }
}
