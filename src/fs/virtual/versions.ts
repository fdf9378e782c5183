// Kind: versions/, with a directory for each file that is or was here. See version-list.ts for what is in them.

import { Fault } from '../../store/store.ts'
import { DeletedNames } from '../../vault/deleted.ts'
import { findEntry, listEntries } from '../../vault/directory.ts'
import { directoryAttributes } from './attributes.ts'
import { KEPT_MS, listPlace, placeView } from './place.ts'
import { hasVersions, KNOWN_MS, type VersionListView, versionListKind } from './version-list.ts'
import { type Listed, type View, type ViewKind, type Views, waiting } from './view.ts'

const DIRECTORY = 4
const REGULAR = 8

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
    for (const name of yield* waiting(() => presentNames(views, view)))
      yield { name, type: DIRECTORY, view: listView(view, name, KEPT_MS) }
    for (const name of deletedNames(views, view))
      yield name instanceof Fault
        ? name
        : { name, type: DIRECTORY, view: listView(view, name, KEPT_MS) }
  },
}

function presentNames({ fs }: Views, { directory }: View): string[] {
  return listEntries(fs.core, directory)
    .filter(({ type }) => type === REGULAR)
    .map(({ name }) => name)
    .sort()
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
