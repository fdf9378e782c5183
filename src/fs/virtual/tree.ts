// Kind: a directory as it was at a moment, with everything below it. What at/, snapshots/ and deleted/ lead to.

import { DT_DIR } from '../../base/mode.ts'
import type { Fault } from '../../store/store.ts'
import { entryAt, inodeAt, namesAt, readStates, statesThere } from '../../vault/history/timeline.ts'
import { assertMayComeNow } from './kept-past.ts'
import { attributesOf, type PastView, type Tree, xattrsOf } from './past.ts'
import { pastFileKind } from './past-file.ts'
import { type Asked, type Listed, type ViewKind, type Views, waiting } from './view.ts'

/** Names read from the vault at a time. */
const PAGE_NAMES = 1024
const NONE: ReadonlySet<number> = new Set()

/**
 * The node of an inode in a tree; `type` is mode >> 12, `up` the number of the node above, `name` what it is called there. `isKept`:
 * whether the kernel may keep that, if it is not the top.
 */
export function pastView(
  tree: Tree,
  ino: number,
  type: number,
  up: number,
  name: string,
  isKept = false,
): PastView {
  return {
    number: tree.number(ino),
    kind: type === DT_DIR ? treeKind : pastFileKind,
    key: tree.key,
    ino,
    directory: tree.directory,
    up,
    name,
    tree,
    isKept,
  }
}

export const treeKind: ViewKind<PastView> = {
  // The past stays what it is.
  tick: () => 0,
  assertMay: assertMayComeNow,
  attributes: attributesOf,
  xattrs: xattrsOf,
  lookup({ fs, past }, _caller, { tree, ino, number }, name) {
    const row = entryAt(fs.core, ino, name, tree.moment)
    return row && pastView(tree, row.ino, row.type, number, name, past.isKept(ino))
  },
  list: (views, _caller, view, asked) => listTree(views, view, asked),
}

function* listTree(
  { fs, past }: Views,
  { tree, ino, number }: PastView,
  asked: Asked,
): Generator<Listed | Fault> {
  for (let after: string | undefined; ; ) {
    const from = after
    const rows = yield* waiting(() => namesAt(fs.core, ino, tree.moment, from, PAGE_NAMES))
    // States themselves are wanted with attributes alone.
    const there = yield* waiting(() => {
      if (!asked.plus) return statesThere(fs.core, rows, tree.moment)
      readStates(fs.core, rows, tree.moment)
      return NONE
    })
    for (const { name, type, ino: child } of rows) {
      // Each by itself, so that one that must wait has no others read again.
      const isComplete = (): boolean =>
        there.has(child) || inodeAt(fs.core, child, tree.moment) !== undefined
      if (!(yield* waiting(isComplete))) continue
      const isKept = yield* waiting(() => past.isKept(ino))
      yield { name, type, view: pastView(tree, child, type, number, name, isKept) }
    }
    after = rows.at(-1)?.name
    if (after === undefined) return
  }
}
