// Kind: versions/, with a directory for each file that is or was here. See version-list.ts for what
// is in them.

import { DT_DIR, DT_REG } from '../../base/mode.ts'
import { type EntryPastRow, type EntryRow, entry, entryPast } from '../../store/collections.ts'
import { Fault } from '../../store/store.ts'
import { DeletedNames } from '../../vault/history/deleted.ts'
import { findEntry } from '../../vault/tree/directory.ts'
import { MAY_READ, MAY_SEARCH, type Reader, readerOf } from '../access.ts'
import type { FsContext } from '../context.ts'
import type { Caller } from '../operations.ts'
import { mightAccess, seesAll, wasAlwaysOpen } from '../past-access.ts'
import { directoryAttributes } from './attributes.ts'
import { fixedView, versionListPath } from './fixed-views.ts'
import { hasVersions, KNOWN_MS, type VersionListView, versionListKind } from './version-list.ts'
import {
  CACHED_MS,
  type View,
  type ViewContext,
  type ViewEntry,
  type ViewKind,
  waiting,
} from './view.ts'

/** At most so many former entries of a name are examined. */
const SPANS_MAX = 10_000
/** Names read at a time. */
const PAGE_ROWS = 1024

function listView({ directory, number }: View, name: string, nameMs: number): VersionListView {
  return { ...fixedView(versionListKind, versionListPath(name), directory, number), name, nameMs }
}

export const versionsKind: ViewKind = {
  tick: ({ ticks }, { directory }) => ticks.names(directory),
  isCommon: ({ fs }, { directory }) => wasAlwaysOpen(fs, directory),
  attributes: (context, view) => directoryAttributes(context, view, false),
  lookup({ fs }, caller, view, name) {
    const { directory } = view
    const present = findEntry(fs.core, directory, name)
    if (present?.type === DT_REG) return listView(view, name, CACHED_MS)
    if (!hasVersions(fs.core, directory, name)) return undefined
    if (!seesAll(fs, caller)) {
      const spans = fs.core.overlay.scan(entryPast, spansOf(directory, name))
      const reader = readerOf(caller)
      if (!spans.some((row) => mayKnow(fs, reader, row, MAY_SEARCH))) return undefined
    }
    return listView(view, name, wasAlwaysOpen(fs, directory) ? KNOWN_MS : 0)
  },
  *list(context, caller, view): Generator<ViewEntry | Fault> {
    for (let from: string | undefined = ''; from !== undefined; ) {
      const start: string = from
      const rows = yield* waiting(() => presentNames(context, view, start))
      for (const { name, type } of rows)
        if (type === DT_REG) yield { name, type: DT_DIR, view: listView(view, name, CACHED_MS) }
      const last = rows.length < PAGE_ROWS ? undefined : rows.at(-1)
      from = last && `${last.name}\0`
    }
    const nameMs = (yield* waiting(() => wasAlwaysOpen(context.fs, view.directory))) ? CACHED_MS : 0
    for (const name of deletedNames(context, caller, view))
      yield name instanceof Fault
        ? name
        : { name, type: DT_DIR, view: listView(view, name, nameMs) }
  },
}

function spansOf(directory: number, name: string) {
  return { gte: [directory, name], lt: [directory, `${name}\0`], limit: SPANS_MAX }
}

/**
 * Whether the reader had the access `wanted` to the directory when the name appeared in it, or when
 * it went.
 */
function mayKnow(
  fs: FsContext,
  reader: Reader,
  { parent, since, until }: EntryPastRow,
  wanted: number,
): boolean {
  return [until - 1, since].some((moment) => mightAccess(fs, reader, parent, moment, wanted))
}

function presentNames({ fs }: ViewContext, { directory }: View, from: string): EntryRow[] {
  const range = { gte: [directory, from], lt: [directory + 1], limit: PAGE_ROWS }
  return fs.core.overlay.scan(entry, range)
}

function* deletedNames(
  { fs }: ViewContext,
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
