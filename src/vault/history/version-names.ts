// Names of versions: the path and number by which `avfs cat`, `log` and the views show a version.
// Maps a path to its versions, and a version of an inode (as an index stores it) to its path. Reads
// only.

import { isDirectory } from '../../base/mode.ts'
import { entryPast, hardlink, inodePast, type Key, numbering } from '../../store/collections.ts'
import type { Core } from '../core/core.ts'
import type { Inode } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import { findEntry } from '../tree/directory.ts'
import { findInode } from '../tree/inodes.ts'
import { LINKS_MAX } from '../tree/names.ts'
import { below, type KnownPaths, lastPath } from '../tree/places.ts'
import { isBrief, isDeleted, pastBefore } from './lifetimes.ts'
import { findPath, type Spot, spotsOf } from './paths.ts'
import { type NameVersion, versionsOf } from './versions.ts'

const ROWS_MAX = 1000
/** Former names of one directory that are read at most. */
const SPANS_MAX = 100_000

/**
 * The versions of a path, oldest first. If its present directory knows none, those in the latest
 * former directory that does.
 */
export function versionsOfPath(core: Core, path: string): NameVersion[] {
  for (const { parent, name } of spotsOf(core, path)) {
    const versions = name === '' ? [] : versionsOf(core, parent, name)
    if (versions.length > 0) return versions
  }
  return []
}

/**
 * A present or former name of an inode; `holder`: the inode that has the name now, possibly
 * another.
 */
export interface Alias extends Spot {
  readonly path: string
  readonly holder: number | undefined
}

/** `next`: the moment of the following version; undefined for the newest. */
export interface NumberedVersion extends NameVersion {
  readonly next: Moment | undefined
}

/**
 * Names of inodes and numbers of versions, with a cache. Valid as long as nothing relevant changes.
 */
export class VersionNames {
  readonly #core: Core
  readonly #directories: KnownPaths = new Map()
  readonly #spans = new Map<number, ReadonlyMap<number, ReadonlySet<string>>>()
  readonly #versions = new Map<string, ReadonlyMap<string, NumberedVersion>>()

  constructor(core: Core) {
    this.#core = core
  }

  /**
   * The names of an inode, best known first. For an inode that exists: its present names. For a
   * deleted one: the name under which it was deleted or else, if it was replaced or moved aside to
   * be rewritten, a name that is in use again.
   */
  *aliasesOf(ino: number): Generator<Alias, undefined> {
    const inode = findInode(this.#core, ino)
    const isThere = inode !== undefined && inode.nlink > 0
    if (!isThere) yield* this.#ofGone(ino)
    else yield* this.#aliases(this.#namesOf(inode))
    yield* this.#aliases(this.#spansOf(ino))
    return undefined
  }

  /**
   * Version `version` of an inode as listed under a path, with its number there; undefined if it is
   * not listed.
   */
  under(path: string, ino: number, version: number): NumberedVersion | undefined {
    return this.#versionsOf(path).get(`${ino}.${version}`)
  }

  /** The inodes that have versions under a path. */
  inodesUnder(path: string): Set<number> {
    return new Set([...this.#versionsOf(path).values()].map(({ ino }) => ino))
  }

  #versionsOf(path: string): ReadonlyMap<string, NumberedVersion> {
    const before = this.#versions.get(path)
    if (before !== undefined) return before
    const made = new Map<string, NumberedVersion>()
    let next: Moment | undefined
    for (const its of versionsOfPath(this.#core, path).reverse()) {
      made.set(`${its.ino}.${its.version}`, { ...its, next })
      next = its.moment
    }
    this.#versions.set(path, made)
    return made
  }

  *#ofGone(ino: number): Generator<Alias> {
    const aliases = this.#aliases(this.#placesOf(ino))
    const { value: last } = aliases.next()
    if (last === undefined) return
    if (last.holder !== undefined || this.#wasDeletedAs(last, ino)) {
      yield last
      yield* aliases
      return
    }
    const others = [...aliases]
    yield* others.filter(({ holder }) => holder !== undefined)
    yield last
    yield* others.filter(({ holder }) => holder === undefined)
  }

  /** Whether the inode's end is listed as a deletion of that name. */
  #wasDeletedAs({ parent, name }: Alias, ino: number): boolean {
    const core = this.#core
    const until = core.overlay.scan(inodePast, lastFirst(ino, 1))[0]?.until ?? 0
    const row = pastBefore(core, parent, name, until)
    return row?.ino === ino && isDeleted(row.fate) && !isBrief(core, row)
  }

  /** The present names of an inode, then its former ones. */
  *#namesOf(inode: Inode): Generator<Spot> {
    const { ino, mode, nlink } = inode
    yield inode
    if (nlink > 1 && !isDirectory(mode))
      yield* this.#core.overlay.scan(hardlink, { gte: [ino], lt: [ino + 1], limit: LINKS_MAX })
    yield* this.#placesOf(ino)
  }

  /** Former places of an inode, latest first. */
  *#placesOf(ino: number): Generator<Spot> {
    for (const { parent, name } of this.#core.overlay.scan(inodePast, lastFirst(ino, 1)))
      if (name !== '') yield { parent, name }
    yield* this.#core.overlay.scan(inodePast, lastFirst(ino, ROWS_MAX))
  }

  /** Names of spans whose states prune has dropped. Reads whole directories, each once. */
  *#spansOf(ino: number): Generator<Spot> {
    const parents = new Set([...this.#placesOf(ino)].map(({ parent }) => parent))
    for (const parent of parents)
      for (const name of this.#spansIn(parent).get(ino) ?? []) yield { parent, name }
  }

  #spansIn(parent: number): ReadonlyMap<number, ReadonlySet<string>> {
    const before = this.#spans.get(parent)
    if (before !== undefined) return before
    const found = new Map<number, Set<string>>()
    const range = { gte: [parent], lt: [parent + 1], limit: SPANS_MAX }
    const { overlay } = this.#core
    for (const rows of [overlay.scan(entryPast, range), overlay.scan(numbering, range)])
      for (const { ino, name } of rows)
        found.set(ino, (found.get(ino) ?? new Set<string>()).add(name))
    this.#spans.set(parent, found)
    return found
  }

  *#aliases(spots: Iterable<Spot>): Generator<Alias> {
    const core = this.#core
    const seen = new Set<string>()
    for (const { parent, name } of spots) {
      const key = `${parent}/${name}`
      if (name === '' || seen.has(key)) continue
      seen.add(key)
      const isThere = (findInode(core, parent)?.nlink ?? 0) > 0
      for (const directory of isThere ? [this.#directory(parent)] : this.#formerly(parent)) {
        const path = below(directory, name)
        if (path === undefined) continue
        // Another directory may now be at the path of a deleted one.
        const holder = isThere ? findEntry(core, parent, name) : findPath(core, path)
        yield { parent, name, path, holder: holder?.ino }
      }
    }
  }

  /**
   * Former paths of a deleted directory; '/' when none is known, so that only the names in it show.
   */
  *#formerly(ino: number): Generator<string> {
    const path = this.#directory(ino)
    yield path ?? '/'
    const seen = new Set([path])
    for (const { parent, name } of this.#placesOf(ino)) {
      const other = below(this.#directory(parent), name)
      if (other === undefined || seen.has(other)) continue
      seen.add(other)
      yield other
    }
  }

  #directory(ino: number): string | undefined {
    const path = this.#directories.get(ino) ?? lastPath(this.#core, ino, this.#directories)
    if (path !== undefined && path !== '/') this.#directories.set(ino, path)
    return path
  }
}

function lastFirst(ino: number, limit: number) {
  return { gte: [ino] as Key, lt: [ino + 1] as Key, reverse: true, limit }
}
