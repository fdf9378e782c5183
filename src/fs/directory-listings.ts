// The names of directories that are being read: whoever has one open sees the names as of when he
// began, so that renames meanwhile show no name twice and lose none. All who begin before a name
// changes share one listing; how many names are held at once is bounded, and whoever lost his
// listing goes on behind the last name that he read. A large directory is read in slices.

import { firstIndex } from '../base/sorted.ts'
import { type EntryRow, entry } from '../store/collections.ts'
import { type Pages, scanPages } from '../store/pages.ts'
import { pauseWhenDue } from '../store/pause.ts'
import { Fault } from '../store/store.ts'
import type { Core } from '../vault/core/core.ts'
import { listEntries } from '../vault/tree/directory.ts'
import { getInode } from '../vault/tree/inodes.ts'

/** Names of all listings: some 60 MiB. One that is larger is held alone. */
export const LISTED_NAMES_MAX = 500_000
/** Directories with more are read in pages. */
const AT_ONCE_MAX = 4096
const PAGE_ROWS = 1024

export interface ListedName {
  readonly name: string
  readonly ino: number
  readonly type: number
}

/**
 * Names in byte order, so that positions mean the same in every listing of an unchanged directory.
 */
export interface Listing {
  readonly names: readonly ListedName[]
}

/** One that is held, and by how many handles. */
interface Held {
  readonly ino: number
  names: readonly ListedName[]
  users: number
}

export class DirectoryListings {
  readonly #core: Core
  /** Those of directories of which no name has changed since. */
  readonly #current = new Map<number, Held>()
  readonly #reading = new Map<number, Reading>()
  /** All that are held, the one that was used longest ago first. */
  readonly #held = new Set<Held>()
  #names = 0

  constructor(core: Core) {
    this.#core = core
    core.overlay.watch(entry, ([parent, name], row) => {
      this.#current.delete(parent as number)
      this.#reading.get(parent as number)?.note(name as string | undefined, row)
    })
  }

  /** Names that are held now. */
  get names(): number {
    return this.#names
  }

  /**
   * The listing of a directory as it is now, for one more handle. Throws Fault until it is read.
   */
  begin(ino: number): Listing {
    const known = this.#current.get(ino)
    const held = known ?? { ino, names: this.#read(ino), users: 0 }
    held.users++
    if (known === undefined) {
      this.#current.set(ino, held)
      this.#held.add(held)
      this.#names += held.names.length
      this.#bound(held)
    }
    return held
  }

  /** Whether it is still there; then it is one of those that were used of late. */
  use(listing: Listing): boolean {
    const held = listing as Held
    if (!this.#held.delete(held)) return false
    this.#held.add(held)
    return true
  }

  /** A handle needs it no more. */
  end(listing: Listing): void {
    const held = listing as Held
    held.users--
    if (held.users === 0) this.#drop(held)
  }

  /** Lets go of all. */
  clear(): void {
    for (const held of this.#held) this.#drop(held)
  }

  #bound(last: Held): void {
    for (const held of this.#held) {
      if (this.#names <= LISTED_NAMES_MAX) return
      if (held !== last) this.#drop(held)
    }
  }

  #drop(held: Held): void {
    if (!this.#held.delete(held)) return
    this.#names -= held.names.length
    held.names = []
    if (this.#current.get(held.ino) === held) this.#current.delete(held.ino)
  }

  #read(ino: number): readonly ListedName[] {
    if (getInode(this.#core, ino).size <= AT_ONCE_MAX)
      return listEntries(this.#core, ino).map(listedOf).sort(byName)
    const reading = this.#reading.get(ino) ?? new Reading(this.#core, ino)
    this.#reading.set(ino, reading)
    try {
      const names = reading.finish()
      this.#reading.delete(ino)
      return names
    } catch (error) {
      if (!(error instanceof Fault)) this.#reading.delete(ino)
      throw error
    }
  }
}

/** A directory that is read page by page: what it gives are the names as of its end. */
class Reading {
  readonly #pages: Pages<EntryRow>
  #names: ListedName[] = []
  /** What became of names since it began. */
  readonly #changed = new Map<string, EntryRow | undefined>()

  constructor({ overlay }: Core, ino: number) {
    this.#pages = scanPages(overlay, entry, { gte: [ino], lt: [ino + 1] }, PAGE_ROWS)
  }

  note(name: string | undefined, row: EntryRow | undefined): void {
    if (name !== undefined) this.#changed.set(name, row)
  }

  /** Goes on from where a Fault ended it. */
  finish(): readonly ListedName[] {
    const next = (): EntryRow[] | undefined => {
      pauseWhenDue()
      return this.#pages()
    }
    for (let page = next(); page !== undefined; page = next())
      for (const row of page) this.#names.push(listedOf(row))
    if (this.#changed.size === 0) return this.#names
    const there = [...this.#changed.values()].filter((row) => row !== undefined)
    const same = this.#names.filter(({ name }) => !this.#changed.has(name))
    return [...same, ...there.map(listedOf)].sort(byName)
  }
}

function listedOf({ name, ino, type }: EntryRow): ListedName {
  return { name, ino, type }
}

function byName(a: ListedName, b: ListedName): number {
  return a.name < b.name ? -1 : 1
}

/** How many of the names do not come after `name`. */
export function countUpTo(names: readonly ListedName[], name: string): number {
  return firstIndex(names.length, (index) => (names[index] as ListedName).name > name)
}
