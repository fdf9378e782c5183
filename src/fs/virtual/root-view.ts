// Kind: .avfs itself, the table of what every directory has.

import type { Caller } from '../operations.ts'
import { atKind } from './at-view.ts'
import { directoryAttributes } from './attributes.ts'
import { deletedKind } from './deleted-view.ts'
import { fixedView, SNAPSHOTS, VERSIONS } from './fixed-views.ts'
import { historyFile } from './history-file.ts'
import { searchKind } from './search-view.ts'
import { snapshotsKind } from './snapshots-view.ts'
import { statsFile } from './stats-file.ts'
import { tagsView } from './tags-view.ts'
import { versionsKind } from './versions-view.ts'
import { AVFS_NAME, type View, type ViewContext, type ViewEntry, type ViewKind } from './view.ts'

type Open = (context: ViewContext, caller: Caller, up: View) => View

function fixed(kind: ViewKind, name: string): Open {
  return (_views, _caller, { directory, number }) => fixedView(kind, name, directory, number)
}

const DIRECTORY = 4
const REGULAR = 8

const names: ReadonlyMap<string, { type: number; open: Open }> = new Map([
  ['at', { type: DIRECTORY, open: fixed(atKind, 'at') }],
  ['deleted', { type: DIRECTORY, open: fixed(deletedKind, 'deleted') }],
  ['history.json', { type: REGULAR, open: historyFile }],
  ['search', { type: DIRECTORY, open: fixed(searchKind, 'search') }],
  [SNAPSHOTS, { type: DIRECTORY, open: fixed(snapshotsKind, SNAPSHOTS) }],
  ['stats.json', { type: REGULAR, open: statsFile }],
  ['tags', { type: DIRECTORY, open: (_views, _caller, up) => tagsView(up) }],
  [VERSIONS, { type: DIRECTORY, open: fixed(versionsKind, VERSIONS) }],
])

const rootKind: ViewKind = {
  tick: () => 0,
  attributes: (context, view) => directoryAttributes(context, view, false),
  lookup: (context, caller, view, name) => names.get(name)?.open(context, caller, view),
  *list(context, caller, view): Generator<ViewEntry> {
    for (const [name, { type, open }] of names)
      yield { name, type, view: type === DIRECTORY ? open(context, caller, view) : undefined }
  },
}

/** The .avfs of a directory of the vault. */
export function rootView(directory: number): View {
  return fixedView(rootKind, AVFS_NAME, directory, directory)
}
