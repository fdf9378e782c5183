// Kind: .avfs itself, the table of what every directory has.

import { DT_DIR, DT_REG } from '../../base/mode.ts'
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

const names: ReadonlyMap<string, { type: number; open: Open }> = new Map([
  ['at', { type: DT_DIR, open: place(atKind, 'at') }],
  ['deleted', { type: DT_DIR, open: place(deletedKind, 'deleted') }],
  ['history.json', { type: DT_REG, open: historyFile }],
  ['search', { type: DT_DIR, open: place(searchKind, 'search') }],
  [SNAPSHOTS, { type: DT_DIR, open: place(snapshotsKind, SNAPSHOTS) }],
  ['stats.json', { type: DT_REG, open: statsFile }],
  ['tags', { type: DT_DIR, open: (_views, _caller, up) => tagsView(up) }],
  [VERSIONS, { type: DT_DIR, open: place(versionsKind, VERSIONS) }],
])

const rootKind: ViewKind = {
  tick: () => 0,
  attributes: (views, view) => directoryAttributes(views, view, false),
  lookup: (views, caller, view, name) => names.get(name)?.open(views, caller, view),
  *list(views, caller, view): Generator<Listed> {
    for (const [name, { type, open }] of names)
      yield { name, type, view: type === DT_DIR ? open(views, caller, view) : undefined }
  },
}

/** The .avfs of a directory of the vault. */
export function rootView(directory: number): View {
  return placeView(rootKind, AVFS_NAME, directory, directory)
}
