// Names that were deleted from a directory and do not exist now, newest deletion first where a name
// was deleted more than once. Files that moved away or were replaced are not lost and not listed.

import { GenerationCache } from '../../base/generation-cache.ts'
import { NAME_BYTES_MAX } from '../../base/limits.ts'
import { cutName } from '../../base/names.ts'
import { type EntryPastRow, entry, entryPast, type Key } from '../../store/collections.ts'
import { ALL } from '../../store/store.ts'
import type { Core } from '../core/core.ts'
import type { Moment } from '../core/moment.ts'
import { findEntry } from '../tree/directory.ts'
import { isBrief, isDeleted } from './lifetimes.ts'

const PAGE_ROWS = 1024
/** Memory for cached deletions of names, and the approximate bytes of one. */
const KNOWN_BYTES = 8 * 1024 * 1024
const ENTRY_COST = 400
/** A number from here on is a moment: no name was deleted so often. */
const FIRST_MOMENT = 1e9

export interface DeletedEntry {
  /**
   * The name as listed: NAME for the newest deletion, NAME~2 for the one before, and so on. Where
   * that is too long, the beginning of the name and the moment of the deletion.
   */
  readonly name: string
  readonly ino: number
  /** When it was deleted; its last state is the one as of `until - 1`. */
  readonly until: Moment
  readonly row: EntryPastRow
}

/**
 * Iterates over the deleted names of a directory, in byte order of their true names, page by page.
 */
export class DeletedNames {
  readonly #core: Core
  readonly #parent: number
  readonly #pageRows: number
  /** Where the next page begins; undefined at the end. */
  #from: Key | undefined
  /** The last name read and its deletions so far: the next page may have more. */
  #name: string | undefined
  #rows: EntryPastRow[] = []

  constructor(core: Core, parent: number, pageRows = PAGE_ROWS) {
    this.#core = core
    this.#parent = parent
    this.#pageRows = pageRows
    this.#from = [parent]
  }

  /** The next entries; undefined at the end. Leaves its state unchanged when it throws a Fault. */
  next(): DeletedEntry[] | undefined {
    if (this.#from === undefined) return undefined
    const range = { gte: this.#from, lt: [this.#parent + 1], limit: this.#pageRows }
    const rows = this.#core.overlay.scan(entryPast, range)
    const last = rows.length < this.#pageRows ? undefined : rows.at(-1)
    const names = byName(deletedOf(this.#core, this.#parent, rows))
    const take = (name: string | undefined): EntryPastRow[] => {
      const its = name === undefined ? undefined : names.get(name)
      if (name !== undefined) names.delete(name)
      return its ?? []
    }
    const more = take(this.#name)
    const open = take(last?.name)
    const goesOn = last !== undefined && last.name === this.#name
    const whole = [...(goesOn ? [] : [[...this.#rows, ...more]]), ...names.values()]
    const found = whole.flatMap((its) => listed(this.#core, its))
    if (goesOn) this.#rows.push(...more)
    else this.#rows = open
    this.#name = last?.name
    this.#from = last && [this.#parent, last.name, last.since + 1]
    return found
  }
}

function byName(rows: readonly EntryPastRow[]): Map<string, EntryPastRow[]> {
  const names = new Map<string, EntryPastRow[]>()
  for (const row of rows) {
    const its = names.get(row.name)
    if (its === undefined) names.set(row.name, [row])
    else its.push(row)
  }
  return names
}

/** The deleted entry that is listed under a name, or undefined. */
export function findDeleted(core: Core, parent: number, name: string): DeletedEntry | undefined {
  const own = trueName(core, parent, name)
  if (findEntry(core, parent, own) !== undefined) return undefined
  return deletionsOf(core, parent, own).get(name)
}

/**
 * The last deletion of a name, even of a passing one, which is not listed; undefined when the name
 * exists or was never deleted.
 */
export function lastDeleted(core: Core, parent: number, name: string): EntryPastRow | undefined {
  if (findEntry(core, parent, name) !== undefined) return undefined
  return rowsOf(core, parent, name).findLast((row) => isDeleted(row.fate))
}

/**
 * The listed names of a name's deletions, as long as it does not exist, plus the one that a further
 * deletion would take; or just the name if it was never deleted.
 */
export function deletedAs(core: Core, parent: number, name: string): string[] {
  const rows = [...deletionsOf(core, parent, name).values()].map(({ row }) => row).reverse()
  const [oldest] = rows
  return oldest === undefined ? [name] : listed(core, [oldest, ...rows]).map((its) => its.name)
}

/** The deletions of one name by listed name, newest first. */
type Deletions = ReadonlyMap<string, DeletedEntry>

const known = new WeakMap<Core, GenerationCache<string, Deletions>>()

function deletionsOf(core: Core, parent: number, name: string): Deletions {
  const cache = known.get(core) ?? remember(core)
  const key = `${parent}/${name}`
  const before = cache.get(key)
  if (before !== undefined) return before
  const rows = rowsOf(core, parent, name)
  const shown = rows.filter((row) => isDeleted(row.fate) && !isBrief(core, row))
  const deletions = new Map(listed(core, shown).map((its) => [its.name, its]))
  cache.set(key, deletions)
  return deletions
}

function rowsOf(core: Core, parent: number, name: string): EntryPastRow[] {
  const range = { gte: [parent, name], lt: [parent, `${name}\0`], limit: ALL }
  return core.overlay.scan(entryPast, range)
}

/** A cache, because a name that was deleted often is looked up once for each of its numbers. */
function remember(core: Core): GenerationCache<string, Deletions> {
  const cache = new GenerationCache<string, Deletions>(
    KNOWN_BYTES,
    (its) => ENTRY_COST * (1 + its.size),
  )
  known.set(core, cache)
  const forget = ([parent, name]: Key): void => {
    if (typeof name !== 'string') {
      cache.clear()
      return
    }
    cache.delete(`${parent}/${name}`)
    // NAME~2 may be a number of NAME.
    for (
      let at = name.lastIndexOf('~');
      at >= 0;
      at = at === 0 ? -1 : name.lastIndexOf('~', at - 1)
    )
      cache.delete(`${parent}/${name.slice(0, at)}`)
  }
  core.overlay.watch(entryPast, forget)
  // A new entry may extend the lifetime of a past one that it follows without a gap.
  core.overlay.watch(entry, forget)
  return cache
}

/** NAME~2 means the second deletion of NAME, unless a file was itself called NAME~2. */
function trueName(core: Core, parent: number, name: string): string {
  const numbered = /^(.*)~([1-9]\d*)$/s.exec(name)
  if (numbered === null || wasName(core, parent, name)) return name
  const [, begin = '', number = ''] = numbered
  return cutFrom(core, parent, begin, Number(number)) ?? begin
}

/** Finds a name that was too long for a number, by its beginning and the moment of its deletion. */
function cutFrom(core: Core, parent: number, begin: string, until: Moment): string | undefined {
  if (until < FIRST_MOMENT) return undefined
  const last = begin + '\xff'.repeat(NAME_BYTES_MAX - begin.length)
  const rows = core.overlay.scan(entryPast, {
    gte: [parent, begin],
    lt: [parent, last],
    limit: ALL,
  })
  return rows.find((row) => row.until === until)?.name
}

function listedAs(name: string, number: number, until: Moment): string {
  const numbered = `${name}~${number}`
  if (numbered.length <= NAME_BYTES_MAX) return numbered
  const suffix = `~${until}`
  return cutName(name, NAME_BYTES_MAX - suffix.length) + suffix
}

function wasName(core: Core, parent: number, name: string): boolean {
  const range = { gte: [parent, name], lt: [parent, `${name}\0`], limit: 1 }
  return core.overlay.scan(entryPast, range).length > 0
}

/** The deletions of one name as listed, newest first; `rows` are oldest first. */
function listed(core: Core, rows: readonly EntryPastRow[]): DeletedEntry[] {
  const taken = rows.length > 1 ? numbersTaken(core, rows[0] as EntryPastRow) : none
  let number = 1
  return [...rows].reverse().map((row, at) => {
    const { ino, until } = row
    let { name } = row
    if (at > 0) {
      do number++
      while (taken.has(number))
      name = listedAs(row.name, number, until)
    }
    return { name, ino, until, row }
  })
}

const none: ReadonlySet<number> = new Set()

/** The numbers for which a file is or was itself called NAME~NUMBER. */
function numbersTaken(core: Core, { parent, name }: EntryPastRow): ReadonlySet<number> {
  const taken = new Set<number>()
  // ':' follows '9'. One seek for each name, however many rows it has.
  for (let from = `${name}~1`; ; ) {
    const range = { gte: [parent, from], lt: [parent, `${name}~:`], limit: 1 }
    const [row] = core.overlay.scan(entryPast, range)
    if (row === undefined) return taken
    const number = row.name.slice(name.length + 1)
    if (/^\d+$/.test(number)) taken.add(Number(number))
    from = `${row.name}\0`
  }
}

/** The rows that are deletions of names that do not exist now. */
function deletedOf(core: Core, parent: number, rows: readonly EntryPastRow[]): EntryPastRow[] {
  const isThere = presence(core, parent, rows)
  return rows.filter((row) => isDeleted(row.fate) && !isThere(row.name) && !isBrief(core, row))
}

/**
 * A check whether the names of a page exist now. They are read in one scan, unless too many other
 * names lie between them.
 */
function presence(
  core: Core,
  parent: number,
  rows: readonly EntryPastRow[],
): (name: string) => boolean {
  const present = core.overlay.scan(entry, {
    gte: [parent, rows[0]?.name ?? ''],
    lt: [parent, `${rows[rows.length - 1]?.name ?? ''}\0`],
    limit: PAGE_ROWS,
  })
  if (present.length >= PAGE_ROWS) return (name) => findEntry(core, parent, name) !== undefined
  const names = new Set(present.map(({ name }) => name))
  return (name) => names.has(name)
}
