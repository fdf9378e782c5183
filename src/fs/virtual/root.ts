// Kind: .avfs itself, the table of what every directory has.

import type { Caller } from '../operations.ts'
import { atKind } from './at.ts'
import { directoryAttributes } from './attributes.ts'
import { deletedKind } from './deleted.ts'
import { historyFile } from './history.ts'
import { placeView, SNAPSHOTS, VERSIONS } from './place.ts'
import { searchKind } from './search.ts'
import { snapshotsKind } from './snapshots.ts'
import { statsFile } from './stats.ts'
import { tagsView } from './tags.ts'
import { versionsKind } from './versions.ts'
import { AVFS_NAME, type Listed, type View, type ViewKind, type Views } from './view.ts'

type Open = (views: Views, caller: Caller, up: View) => View

function place(kind: ViewKind, name: string): Open {
  return (_views, _caller, { directory, number }) => placeView(kind, name, directory, number)
}

const DIRECTORY = 4
const REGULAR = 8

const names: ReadonlyMap<string, { type: number; open: Open }> = new Map([
  ['at', { type: DIRECTORY, open: place(atKind, 'at') }],
  ['deleted', { type: DIRECTORY, open: place(deletedKind, 'deleted') }],
  ['history.json', { type: REGULAR, open: historyFile }],
  ['search', { type: DIRECTORY, open: place(searchKind, 'search') }],
  [SNAPSHOTS, { type: DIRECTORY, open: place(snapshotsKind, SNAPSHOTS) }],
  ['stats.json', { type: REGULAR, open: statsFile }],
  ['tags', { type: DIRECTORY, open: (_views, _caller, up) => tagsView(up) }],
  [VERSIONS, { type: DIRECTORY, open: place(versionsKind, VERSIONS) }],
])

const rootKind: ViewKind = {
  tick: () => 0,
  attributes: (views, view) => directoryAttributes(views, view, false),
  lookup: (views, caller, view, name) => names.get(name)?.open(views, caller, view),
  *list(views, caller, view): Generator<Listed> {
    for (const [name, { type, open }] of names)
      yield { name, type, view: type === DIRECTORY ? open(views, caller, view) : undefined }
  },
}

/** The .avfs of a directory of the vault. */
export function rootView(directory: number): View {
  return placeView(rootKind, AVFS_NAME, directory, directory)
}
