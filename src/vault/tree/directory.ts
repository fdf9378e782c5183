// Names in directories: finding, listing, adding, removing and replacing entries, with a cache of
// each directory's entries. A name that is removed or replaced after it could be seen stays
// readable as a past row.

import { DT_DIR, isDirectory } from '../../base/mode.ts'
import {
  CREATED,
  type EntryRow,
  entry,
  entryPast,
  type Fate,
  type Origin,
  REPLACED,
} from '../../store/collections.ts'
import { scanPages } from '../../store/pages.ts'
import type { Core, Directory } from '../core/core.ts'
import type { Inode } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import { BRIEF_MICROS } from '../core/moments.ts'
import { isRecorded, isRecordedName } from './history-recording.ts'
import { alter, stampChange } from './inodes.ts'
import { directoryMoved } from './places.ts'

/** Approximate bytes of memory for an entry. */
const ENTRY_COST = 200
/** Entries read from the store at a time. */
const PAGE_ROWS = 4096
/** Directories with more names are not cached whole. */
const CACHED_NAMES_MAX = 20000

function directoryOf(core: Core, ino: number): Directory {
  let directory = core.directories.get(ino)
  if (directory === undefined) {
    directory = { names: new Map(), complete: false }
    core.directories.set(ino, directory)
  }
  return directory
}

/** Marks a new directory as empty in the cache, so that lookups in it do not reach the store. */
export function startDirectory(core: Core, ino: number): void {
  core.directories.set(ino, { names: new Map(), complete: true })
}

/** The entry of that name, or undefined. */
export function findEntry(core: Core, parent: number, name: string): EntryRow | undefined {
  const directory = directoryOf(core, parent)
  const cached = directory.names.get(name)
  if (cached !== undefined || directory.complete || directory.names.has(name)) return cached
  const row = core.overlay.get(entry, [parent, name])
  remember(core, directory, name, row)
  return row
}

function remember(core: Core, directory: Directory, name: string, row: EntryRow | undefined): void {
  const { names } = directory
  if (names.size >= CACHED_NAMES_MAX) {
    names.clear()
    directory.complete = false
  }
  names.set(name, row)
  core.directories.grow(ENTRY_COST)
}

/** All entries of a directory as they are now. The caller owns the array. */
export function listEntries(core: Core, parent: number): EntryRow[] {
  const directory = directoryOf(core, parent)
  if (directory.complete) {
    const rows: EntryRow[] = []
    for (const row of directory.names.values()) if (row !== undefined) rows.push(row)
    return rows
  }
  const rows: EntryRow[] = []
  const range = { gte: [parent], lt: [parent + 1] }
  const pages = scanPages(core.overlay, entry, range, PAGE_ROWS)
  for (let page = pages(); page !== undefined; page = pages()) rows.push(...page)
  if (rows.length < CACHED_NAMES_MAX) {
    directory.names.clear()
    for (const row of rows) directory.names.set(row.name, row)
    directory.complete = true
    core.directories.grow(rows.length * ENTRY_COST)
  }
  return rows
}

const watchers = new WeakMap<Core, (parent: number, name: string) => void>()

/** Calls `heard` with each name that is added, replaced or removed. One watcher a vault. */
export function watchNames(core: Core, heard: (parent: number, name: string) => void): void {
  watchers.set(core, heard)
}

/**
 * Rows that replaced others. They belong to the name's past, so they are part of history from the
 * beginning.
 */
const replacing = new WeakSet<EntryRow>()

/**
 * Puts a name into a directory; an existing entry of that name is replaced and stays in history.
 * `from`: for origin RENAMED, the entry that rename(2) removes at the same moment.
 */
export function putEntry(
  core: Core,
  parent: Inode,
  name: string,
  to: { ino: number; type: number },
  moment: Moment,
  origin: Origin,
  from?: EntryRow,
): void {
  const before = findEntry(core, parent.ino, name)
  const actor = core.actors.current
  if (to.type === DT_DIR && origin !== CREATED) directoryMoved(core, to.ino)
  if (before !== undefined && isRecordedName(core, parent.ino, name))
    core.overlay.put(entryPast, { ...before, until: moment, fate: REPLACED, endedBy: actor })
  const row: EntryRow = {
    parent: parent.ino,
    name,
    ino: to.ino,
    type: to.type,
    origin,
    fromParent: from?.parent ?? 0,
    fromName: from?.name ?? '',
    actor,
    since: moment,
  }
  if (before !== undefined) replacing.add(row)
  core.overlay.put(entry, row)
  remember(core, directoryOf(core, parent.ino), name, row)
  changeDirectory(core, parent, before === undefined ? 1 : 0, moment)
  watchers.get(core)?.(parent.ino, name)
}

/** Directories in which a name left a trace although it was never visible. */
const keeping = new WeakSet<Inode>()

/**
 * Whether an inode that loses its last name is kept even if it was never visible: a file that was
 * closed with content, or a directory that held one.
 */
export function isWorthKeeping(core: Core, inode: Inode): boolean {
  if (isDirectory(inode.mode)) return keeping.has(inode)
  const wasClosed = inode.versions > 0 && inode.size > 0 && inode.nlink === 1
  return wasClosed && core.history.isPassingKept && isRecorded(core, inode)
}

/**
 * Removes a name from a directory. Returns true when the name was never visible and so left no
 * trace; always false with `isKept`.
 */
export function removeEntry(
  core: Core,
  parent: Inode,
  row: EntryRow,
  moment: Moment,
  fate: Fate,
  isKept = false,
): boolean {
  // While commits are slow, a name can exist for long before it is handed over.
  const young = row.since > core.moments.barrier && moment - row.since < BRIEF_MICROS
  const traceless = young && row.fromParent === 0 && !replacing.has(row) && !isKept
  if (isKept) keeping.add(parent)
  if (!traceless && isRecordedName(core, row.parent, row.name))
    core.overlay.put(entryPast, { ...row, until: moment, fate, endedBy: core.actors.current })
  core.overlay.delete(entry, [row.parent, row.name])
  remember(core, directoryOf(core, row.parent), row.name, undefined)
  changeDirectory(core, parent, -1, moment)
  watchers.get(core)?.(row.parent, row.name)
  return traceless
}

function changeDirectory(core: Core, parent: Inode, added: number, moment: Moment): void {
  alter(core, parent, moment)
  parent.size = Math.max(0, parent.size + added)
  stampChange(parent, true)
}
