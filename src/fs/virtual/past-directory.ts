// Kind: a directory as it was at a moment, with everything below it. What at/, snapshots/ and
// deleted/ lead to.

import { DT_DIR } from '../../base/mode.ts'
import type { Fault } from '../../store/store.ts'
import { entryAt, inodeAt, namesAt, readStates, statesThere } from '../../vault/history/timeline.ts'
import { assertMayAccessNow } from './cached-past.ts'
import { pastFileKind } from './past-file.ts'
import { attributesOf, type PastTree, type PastView, xattrsOf } from './past-tree.ts'
import {
  type ListRequest,
  type ViewContext,
  type ViewEntry,
  type ViewKind,
  waiting,
} from './view.ts'

/** Names read from the vault at a time. */
const PAGE_NAMES = 1024
const NONE: ReadonlySet<number> = new Set()

/**
 * The node of an inode in a tree; `type` is mode >> 12, `up` the number of the node above, `name`
 * what it is called there. `isCacheable`: whether the kernel may keep that, if it is not the top.
 */
export function pastView(
  tree: PastTree,
  ino: number,
  type: number,
  up: number,
  name: string,
  isCacheable = false,
): PastView {
  return {
    number: tree.number(ino),
    kind: type === DT_DIR ? pastDirectoryKind : pastFileKind,
    key: tree.key,
    ino,
    directory: tree.directory,
    up,
    name,
    tree,
    isCacheable,
  }
}

export const pastDirectoryKind: ViewKind<PastView> = {
  // The past stays what it is.
  tick: () => 0,
  assertAccess: assertMayAccessNow,
  attributes: attributesOf,
  xattrs: xattrsOf,
  lookup({ fs, past }, _caller, { tree, ino, number }, name) {
    const row = entryAt(fs.core, ino, name, tree.moment)
    return row && pastView(tree, row.ino, row.type, number, name, past.isCacheable(ino))
  },
  list: (context, _caller, view, request) => listPastDirectory(context, view, request),
}

function* listPastDirectory(
  { fs, past }: ViewContext,
  { tree, ino, number }: PastView,
  request: ListRequest,
): Generator<ViewEntry | Fault> {
  for (let after: string | undefined; ; ) {
    const from = after
    const rows = yield* waiting(() => namesAt(fs.core, ino, tree.moment, from, PAGE_NAMES))
    // The states themselves are needed for attributes alone.
    const there = yield* waiting(() => {
      if (!request.plus) return statesThere(fs.core, rows, tree.moment)
      readStates(fs.core, rows, tree.moment)
      return NONE
    })
    for (const { name, type, ino: child } of rows) {
      // One read each, so that a Fault repeats no other.
      const isComplete = (): boolean =>
        there.has(child) || inodeAt(fs.core, child, tree.moment) !== undefined
      if (!(yield* waiting(isComplete))) continue
      const isCacheable = yield* waiting(() => past.isCacheable(ino))
      yield { name, type, view: pastView(tree, child, type, number, name, isCacheable) }
    }
    after = rows.at(-1)?.name
    if (after === undefined) return
  }
}
