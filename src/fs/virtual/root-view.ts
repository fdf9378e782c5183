// Kind: .avfs itself, the table of what every directory has.

import { DT_DIR, DT_REG } from '../../base/mode.ts'
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

const names: ReadonlyMap<string, { type: number; open: Open }> = new Map([
  ['at', { type: DT_DIR, open: fixed(atKind, 'at') }],
  ['deleted', { type: DT_DIR, open: fixed(deletedKind, 'deleted') }],
  ['history.json', { type: DT_REG, open: historyFile }],
  ['search', { type: DT_DIR, open: fixed(searchKind, 'search') }],
  [SNAPSHOTS, { type: DT_DIR, open: fixed(snapshotsKind, SNAPSHOTS) }],
  ['stats.json', { type: DT_REG, open: statsFile }],
  ['tags', { type: DT_DIR, open: (_views, _caller, up) => tagsView(up) }],
  [VERSIONS, { type: DT_DIR, open: fixed(versionsKind, VERSIONS) }],
])

const rootKind: ViewKind = {
  tick: () => 0,
  attributes: (context, view) => directoryAttributes(context, view, false),
  lookup: (context, caller, view, name) => names.get(name)?.open(context, caller, view),
  *list(context, caller, view): Generator<ViewEntry> {
    for (const [name, { type, open }] of names)
      yield { name, type, view: type === DT_DIR ? open(context, caller, view) : undefined }
  },
}

/** The .avfs of a directory of the vault. */
export function rootView(directory: number): View {
  return fixedView(rootKind, AVFS_NAME, directory, directory)
}
