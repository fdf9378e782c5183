// Kinds: search/, in which every query has a name, search/QUERY/ with what it finds here and below,
// best first, and .all/ in it, where the past is searched too. Entries are the files themselves, or
// former versions; which they are is in search-results.ts.

import { EINVAL, EOPNOTSUPP, fail } from '../../base/errno.ts'
import { log } from '../../base/log.ts'
import { DT_LNK, fileType, isDirectory } from '../../base/mode.ts'
import { parseQuery, QuerySyntaxError } from '../../search/query.ts'
import type { Fault } from '../../store/store.ts'
import { inodeAt } from '../../vault/history/timeline.ts'
import { findInode } from '../../vault/tree/inodes.ts'
import { type Reader, readerOf } from '../access.ts'
import { directoryAttributes } from './attributes.ts'
import { symlinkTo } from './computed.ts'
import { fixedView } from './fixed-views.ts'
import { pastView } from './past-directory.ts'
import { createPastTree } from './past-tree.ts'
import { presentView } from './present-file.ts'
import { deletedBelow, mightFind, readableBelow, walkableBelow } from './search-access.ts'
import { type Hit, hitsOf } from './search-results.ts'
import { textOf } from './text.ts'
import { type View, type ViewContext, type ViewEntry, type ViewKind, waiting } from './view.ts'

/** Not listed, so that nobody walks into it. */
const ALL = '.all'
const CONTROL = /\p{Cc}/u
/** A query without any letter or digit has no words. */
const WORD = /[\p{L}\p{N}]/u
/**
 * How long the kernel may cache a name that leads to a version: the next search may give that name
 * to another.
 */
const NAME_MS = 250

interface QueryView extends View {
  readonly query: string
  readonly pastToo: boolean
}

function queryView(
  { directory, number }: View,
  name: string,
  query: string,
  pastToo: boolean,
): QueryView {
  const fixedPath = `search\0${pastToo ? ALL : ''}\0${name}`
  return { ...fixedView(queryKind, fixedPath, directory, number), query, pastToo, name }
}

/**
 * A slash cannot be in a name: U+2215 and %2F stand for it, and %25 for a percent sign. Nothing
 * else is decoded.
 */
function queryOf(name: string): string | undefined {
  return textOf(name)
    ?.replaceAll('\u2215', '/')
    .replace(/%2f|%25/gi, (code) => (code === '%25' ? '%' : '/'))
}

export const searchKind: ViewKind = {
  tick: () => 0,
  attributes: (context, view) => directoryAttributes(context, view, false),
  lookup({ fs }, _caller, view, name) {
    // Programs look for these in every directory: .git, .hidden, .Trash.
    if (name.startsWith('.')) return undefined
    const query = queryOf(name)
    if (query === undefined || CONTROL.test(query)) return undefined
    try {
      parseQuery(query)
    } catch (error) {
      if (!(error instanceof QuerySyntaxError)) throw error
      if (!WORD.test(query)) return undefined
      log('info', `search/${query} is no query: ${error.message}`)
      fail(EINVAL)
    }
    if (fs.search === undefined) fail(EOPNOTSUPP)
    return queryView(view, name, query, false)
  },
  list: () => [],
}

const queryKind: ViewKind<QueryView> = {
  attributes: (context, view) => directoryAttributes(context, view, true),
  lookup(context, caller, view, name) {
    if (name === ALL && !view.pastToo) return queryView(view, view.name ?? '', view.query, true)
    const reader = readerOf(caller)
    const hit = hitsOf(context.fs, questionOf(view, reader), false).get(name)
    return hit === undefined ? undefined : listed(context, view, reader, name, hit)?.view
  },
  *list(context, caller, view): Generator<ViewEntry | Fault> {
    const reader = readerOf(caller)
    const hits = yield* waiting(() => hitsOf(context.fs, questionOf(view, reader), true))
    for (const [name, hit] of hits) {
      const entry = yield* waiting(() => listed(context, view, reader, name, hit))
      if (entry !== undefined) yield entry
    }
  },
}

function questionOf({ directory, query, pastToo }: QueryView, reader: Reader) {
  return { directory, query, pastToo, reader }
}

/** A result as it can be shown now; undefined when it is gone, or no longer for this reader. */
function listed(
  { fs }: ViewContext,
  view: QueryView,
  reader: Reader,
  name: string,
  { ino, moment, parent }: Hit,
): ViewEntry | undefined {
  const { core } = fs
  const { directory, number } = view
  if (moment === undefined) {
    const present = readableBelow(core, directory, ino, reader)
    if (present === undefined) return undefined
    const { inode, path } = present
    if (!isDirectory(inode.mode))
      return { name, type: fileType(inode.mode), view: presentView(ino, view) }
    // A directory has one path only (the kernel insists).
    const target = '../'.repeat(view.pastToo ? 4 : 3) + path.join('/')
    return { name, type: DT_LNK, view: symlinkTo(`found\0${view.key}\0${name}`, view, target) }
  }
  const isThere = (findInode(core, ino)?.nlink ?? 0) > 0
  const seen = isThere
    ? walkableBelow(core, directory, ino, reader)
    : deletedBelow(fs, directory, ino, reader, parent)
  if (seen === undefined) return undefined
  const row = inodeAt(core, ino, moment)
  if (row === undefined || !mightFind(fs, directory, ino, moment, reader)) return undefined
  // Other users find other files under the same names.
  const nameMs = fs.shared ? 0 : NAME_MS
  const key = `found\0${directory}\0${ino}\0${moment}`
  const tree = createPastTree(key, { moment, directory, root: ino, nameMs })
  const type = fileType(row.mode)
  return { name, type, view: pastView(tree, ino, type, number, name) }
}
