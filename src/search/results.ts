// What is shown of a match: the index may be a little behind the vault, so that each match is
// checked against the vault itself, and what is not true any more is left out.

import {
  type InodeRow,
  inodePast,
  PROVISIONAL,
  tagging,
  type VersionRow,
  version,
} from '../store/collections.ts'
import type { Core } from '../vault/core/core.ts'
import { cycleCheck } from '../vault/core/cycles.ts'
import { ROOT_INO, toRow } from '../vault/core/inode.ts'
import type { Moment } from '../vault/core/moment.ts'
import { inodeAt } from '../vault/history/timeline.ts'
import type { Alias, NumberedVersion, VersionNames } from '../vault/history/version-names.ts'
import { findEntry } from '../vault/tree/directory.ts'
import { findInode } from '../vault/tree/inodes.ts'
import { isWithin } from '../vault/tree/places.ts'
import type { Fragment } from './snippet.ts'
import type { Match } from './term-hits.ts'

/** States of one inode that are read, at most. */
const STATES_MAX = 10_000

/** What is found: an inode as it is, or was last. */
export interface Found {
  readonly ino: number
  readonly row: InodeRow
  readonly isThere: boolean
}

/**
 * A version that is found: number `version` of inode `ino`, which `avfs log` of the path calls
 * `number`; undefined where the path has another history, or that of its directory is gone.
 * `moment`: as of when it is read. `until` is when the next one came or the file was deleted,
 * undefined for one that is current.
 */
export interface FoundVersion {
  readonly number: number | undefined
  readonly ino: number
  readonly version: number
  /** The directory of the path, now or when that led to it. */
  readonly parent: number
  readonly moment: Moment
  readonly until: Moment | undefined
  readonly size: number
  readonly mtime: number
}

export interface Conditions {
  /** At or below this path, a byte string from the root. */
  readonly top: string
  /** Whether a path fits the globs of the request. */
  readonly matchesPath: (path: string) => boolean
  /** Labels, all of which it must carry. */
  readonly tags: readonly string[]
  /** Saved at this moment or later. */
  readonly since: Moment
  readonly pastToo: boolean
  /** Whether versions get their numbers, which takes reading all versions of a path. */
  readonly isNumbered: boolean
  /**
   * Whether the one who asks may see an inode in directory `parent`. Runs in a step that may be run
   * again.
   */
  readonly isVisible: ((found: Found & { readonly parent: number }) => boolean) | undefined
}

/** A path with what was found of it: of every inode that it led to. */
export interface SearchResult {
  /** What is there, or was last. */
  readonly ino: number
  readonly row: InodeRow
  /** A byte string from the root. */
  readonly path: string
  readonly score: number
  /** False where nothing is called so any more. */
  readonly isThere: boolean
  /**
   * Those for which the query is true, oldest first; without `pastToo` the newest alone. None for
   * what has no content, or no text.
   */
  readonly versions: readonly FoundVersion[]
  /** Of the newest of `versions`. */
  readonly fragments: readonly Fragment[]
}

/**
 * The results that a match is now, without fragments: one, or more with the past, where a file had
 * versions before it came to its name. `settled`: names that are newer are not in the index yet.
 */
export function resultsOf(
  core: Core,
  names: VersionNames,
  { ino, score, versions }: Match,
  conditions: Conditions,
  settled: Moment,
): SearchResult[] {
  const found = foundOf(core, ino, settled)
  if (found === undefined || (!found.isThere && !conditions.pastToo)) return []
  const aliases = new Listing(visibleAliases(names, found, conditions))
  const byPath = new Map<string, { alias: Alias; versions: FoundVersion[] }>()
  const [first] = aliases
  if (first === undefined) return []
  if (versions.length === 0 && found.row.since >= conditions.since)
    byPath.set(first.path, { alias: first, versions: [] })
  for (const { number } of versions) {
    if (!conditions.pastToo && number !== found.row.versions) continue
    const row = core.overlay.get(version, [ino, number])
    if (row === undefined || row.moment < conditions.since) continue
    const called = conditions.isNumbered ? calledIn(names, aliases, row) : undefined
    const { alias, numbered } = called ?? { alias: first, numbered: undefined }
    const known = byPath.get(alias.path) ?? { alias, versions: [] }
    known.versions.push({ ...foundVersion(core, found, row, numbered), parent: alias.parent })
    byPath.set(alias.path, known)
  }
  return [...byPath.values()]
    .filter(({ alias }) => carries(core, alias.holder ?? ino, conditions.tags))
    .map((named) => resultAt(core, found, named.alias, score, named.versions))
}

function resultAt(
  core: Core,
  { ino, row }: Found,
  { path, holder }: Alias,
  score: number,
  versions: readonly FoundVersion[],
): SearchResult {
  const now = holder === undefined || holder === ino ? undefined : findInode(core, holder)
  const present = now === undefined ? { ino, row } : { ino: now.ino, row: toRow(now) }
  return { ...present, path, score, isThere: holder !== undefined, versions, fragments: [] }
}

/** What several inodes give for one path, the first of which is its own. */
export function joined(results: readonly SearchResult[]): SearchResult {
  const [first] = results as readonly [SearchResult]
  if (results.length === 1) return first
  const versions = results.flatMap((result) => result.versions).sort((a, b) => a.moment - b.moment)
  const score = results.reduce((best, result) => Math.max(best, result.score), first.score)
  return { ...first, versions, score }
}

/** The names under which an inode may be shown: without the past those that it has now. */
function* visibleAliases(
  names: VersionNames,
  found: Found,
  { top, matchesPath, pastToo, isVisible }: Conditions,
): Generator<Alias, undefined> {
  for (const alias of names.aliasesOf(found.ino)) {
    const { path, parent, holder } = alias
    if (!pastToo && holder !== found.ino) return undefined
    if (isWithin(path, top) && matchesPath(path) && isVisible?.({ ...found, parent }) !== false)
      yield alias
  }
  return undefined
}

/** The first name whose history has the version, with its number there. */
function calledIn(
  names: VersionNames,
  aliases: Iterable<Alias>,
  { ino, number }: VersionRow,
): { alias: Alias; numbered: NumberedVersion } | undefined {
  for (const alias of aliases) {
    const numbered = names.under(alias.path, ino, number)
    if (numbered !== undefined) return { alias, numbered }
  }
  return undefined
}

function foundVersion(
  core: Core,
  { isThere }: Found,
  row: VersionRow,
  numbered: NumberedVersion | undefined,
): Omit<FoundVersion, 'parent'> {
  const { ino, number: version, size, mtime } = row
  const moment = numbered?.moment ?? readableAt(core, row)
  const ends = [numbered?.next, endOf(core, row, isThere)].filter((end) => end !== undefined)
  const until = ends.length === 0 ? undefined : Math.min(...ends)
  return { number: numbered?.number, ino, version, moment, until, size, mtime }
}

/**
 * Prune may have kept a version only in a later state, from when the file was moved to some name.
 */
function readableAt(core: Core, { ino, number, moment }: VersionRow): Moment {
  if (inodeAt(core, ino, moment) !== undefined) return moment
  const states = core.overlay.scan(inodePast, { gte: [ino], lt: [ino + 1], limit: STATES_MAX })
  return states.find(({ versions }) => versions === number)?.since ?? moment
}

/** A generator's values, read no further than needed and kept for the next iteration. */
class Listing<T> implements Iterable<T> {
  readonly #taken: T[] = []
  readonly #rest: Iterator<T>

  constructor(rest: Iterator<T>) {
    this.#rest = rest
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let index = 0; ; index++) {
      if (index === this.#taken.length) {
        const { value, done } = this.#rest.next()
        if (done === true) return
        this.#taken.push(value)
      }
      yield this.#taken[index] as T
    }
  }
}

function foundOf(core: Core, ino: number, settled: Moment): Found | undefined {
  const inode = findInode(core, ino)
  if (inode === undefined || inode.nlink === 0) {
    const range = { gte: [ino], lt: [ino + 1], reverse: true, limit: 1 }
    const [row] = core.overlay.scan(inodePast, range)
    return row === undefined ? undefined : { ino, row, isThere: false }
  }
  return isOld(core, ino, settled) ? { ino, row: toRow(inode), isThere: true } : undefined
}

/** Whether the index knows the names on the way to an inode. */
function isOld(core: Core, ino: number, settled: Moment): boolean {
  const isCircle = cycleCheck()
  for (let directory = ino; directory !== ROOT_INO; ) {
    const inode = findInode(core, directory)
    if (inode === undefined || isCircle(directory)) return false
    const row = findEntry(core, inode.parent, inode.name)
    if (row === undefined || row.since > settled) return false
    directory = inode.parent
  }
  return true
}

/** When a version ceased to be the present one. */
function endOf(core: Core, { ino, number }: VersionRow, isThere: boolean): Moment | undefined {
  const range = { gte: [ino, number + 1], lt: [ino + 1], limit: 1 }
  const [next] = core.overlay.scan(version, range)
  if (next !== undefined) return next.moment
  if (isThere) return undefined
  const last = { gte: [ino], lt: [ino + 1], reverse: true, limit: 1 }
  const until = core.overlay.scan(inodePast, last)[0]?.until
  return until === PROVISIONAL ? undefined : until
}

/** Labels of what is gone stay where they are. */
function carries(core: Core, ino: number, tags: readonly string[]): boolean {
  return tags.every((tag) => core.overlay.get(tagging, [ino, tag]) !== undefined)
}
