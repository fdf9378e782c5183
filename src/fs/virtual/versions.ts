// Kind: versions/, with a directory for each file that is or was here. See version-list.ts for what is in them.

import { type EntryRow, entry } from '../../store/collections.ts'
import { Fault } from '../../store/store.ts'
import { DeletedNames } from '../../vault/deleted.ts'
import { findEntry } from '../../vault/directory.ts'
import { directoryAttributes } from './attributes.ts'
import { KEPT_MS, listPlace, placeView } from './place.ts'
import { hasVersions, KNOWN_MS, type VersionListView, versionListKind } from './version-list.ts'
import { type Listed, type View, type ViewKind, type Views, waiting } from './view.ts'

const DIRECTORY = 4
const REGULAR = 8
/** Names read at a time. */
const PAGE_ROWS = 1024

function listView({ directory, number }: View, name: string, nameMs: number): VersionListView {
  return { ...placeView(versionListKind, listPlace(name), directory, number), name, nameMs }
}

export const versionsKind: ViewKind = {
  tick: ({ ticks }, { directory }) => ticks.names(directory),
  attributes: (views, view) => directoryAttributes(views, view, false),
  lookup({ fs }, _caller, view, name) {
    const present = findEntry(fs.core, view.directory, name)
    if (present?.type === REGULAR) return listView(view, name, KEPT_MS)
    return hasVersions(fs.core, view.directory, name) ? listView(view, name, KNOWN_MS) : undefined
  },
  *list(views, _caller, view): Generator<Listed | Fault> {
    for (let from: string | undefined = ''; from !== undefined; ) {
      const start: string = from
      const rows = yield* waiting(() => presentNames(views, view, start))
      for (const { name, type } of rows)
        if (type === REGULAR) yield { name, type: DIRECTORY, view: listView(view, name, KEPT_MS) }
      const last = rows.length < PAGE_ROWS ? undefined : rows.at(-1)
      from = last && `${last.name}\0`
    }
    for (const name of deletedNames(views, view))
      yield name instanceof Fault
        ? name
        : { name, type: DIRECTORY, view: listView(view, name, KEPT_MS) }
  },
}

function presentNames({ fs }: Views, { directory }: View, from: string): EntryRow[] {
  const range = { gte: [directory, from], lt: [directory + 1], limit: PAGE_ROWS }
  return fs.core.overlay.scan(entry, range)
}

function* deletedNames({ fs }: Views, { directory }: View): Generator<string | Fault> {
  const names = new DeletedNames(fs.core, directory)
  for (let last: string | undefined; ; ) {
    const page = yield* waiting(() => names.next())
    if (page === undefined) return
    for (const { row } of page) {
      if (row.type !== REGULAR || row.name === last) continue
      last = row.name
      yield row.name
    }
  }
}
