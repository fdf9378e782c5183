// Kind: versions/, with a directory for each file that is or was here. See version-list.ts for what is in them.

import { Fault } from '../../store/store.ts'
import { DeletedNames } from '../../vault/deleted.ts'
import { findEntry, listEntries } from '../../vault/directory.ts'
import { directoryAttributes } from './attributes.ts'
import { placeView } from './place.ts'
import { hasVersions, type VersionListView, versionListKind } from './version-list.ts'
import { type Listed, type View, type ViewKind, type Views, waiting } from './view.ts'

const DIRECTORY = 4
const REGULAR = 8

function listView({ directory, number }: View, name: string): VersionListView {
  const key = `versions\0${name}`
  return { ...placeView(versionListKind, key, directory, number), name }
}

export const versionsKind: ViewKind = {
  attributes: (views, view) => directoryAttributes(views, view, false),
  lookup({ fs }, _caller, view, name) {
    const present = findEntry(fs.core, view.directory, name)
    const known = present?.type === REGULAR || hasVersions(fs.core, view.directory, name)
    return known ? listView(view, name) : undefined
  },
  *list(views, _caller, view): Generator<Listed | Fault> {
    for (const name of yield* waiting(() => presentNames(views, view)))
      yield { name, type: DIRECTORY, view: listView(view, name) }
    for (const name of deletedNames(views, view))
      yield name instanceof Fault ? name : { name, type: DIRECTORY, view: listView(view, name) }
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
