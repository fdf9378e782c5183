// What is shown of a match: the index may be a little behind the vault, so that each is looked at in the vault itself, and what is
// not so any more is left out.

import { isDirectory } from '../base/mode.ts'
import {
  hardlink,
  type InodeRow,
  inodePast,
  PROVISIONAL,
  tagging,
  type VersionRow,
  version,
} from '../store/collections.ts'
import type { Core } from '../vault/core.ts'
import { findEntry } from '../vault/directory.ts'
import { toRow } from '../vault/inode.ts'
import { findInode } from '../vault/inodes.ts'
import type { Moment } from '../vault/moments.ts'
import { below, isWithin, lastPath } from '../vault/places.ts'
import type { Match } from './evaluate.ts'
import type { Fragment } from './snippet.ts'
import { nameOf } from './source.ts'

const ROOT_INO = 1
/** Names of one inode that are looked at. */
const LINKS_MAX = 1000

/** What is found: an inode as it is, or was last. */
export interface Found {
  readonly ino: number
  readonly row: InodeRow
  readonly isThere: boolean
  /** From the root, byte strings: the first name's, then those of hard links. Of what is gone the last one. */
  readonly paths: readonly string[]
}

/** A version that is found; `until` is when the next one was sealed or the file deleted, undefined for one that is current. */
export interface FoundVersion {
  readonly number: number
  readonly moment: Moment
  readonly until: Moment | undefined
  readonly size: number
  readonly mtime: number
}

export interface Conditions {
  /** At or below this path, a byte string from the root. */
  readonly top: string
  /** Whether a path is meant. */
  readonly isMeant: (path: string) => boolean
  /** Labels, all of which it must carry. */
  readonly tags: readonly string[]
  /** Saved at this moment or later. */
  readonly since: Moment
  readonly pastToo: boolean
  /**
   * The path under which somebody may see what is found, one of its own or another; undefined hides it. Runs in a step that may be
   * run again.
   */
  readonly reach: ((found: Found) => string | undefined) | undefined
}

export interface SearchResult {
  readonly ino: number
  /** A byte string from the root, or what `reach` made of it. */
  readonly path: string
  readonly score: number
  readonly isThere: boolean
  readonly row: InodeRow
  /** Those for which the query is true, by number; without `pastToo` the newest alone. None for what has no content, or no text. */
  readonly versions: readonly FoundVersion[]
  /** Of the newest of `versions`. */
  readonly fragments: readonly Fragment[]
}

/**
 * The result that a match is now, without fragments; undefined when it is none. `settled`: names that are newer are not in the index
 * yet.
 */
export function resultOf(
  core: Core,
  match: Match,
  conditions: Conditions,
  settled: Moment,
): SearchResult | undefined {
  const found = foundOf(core, match.ino, settled)
  if (found === undefined || (!found.isThere && !conditions.pastToo)) return undefined
  const versions = versionsOf(core, found, match, conditions)
  if (versions === undefined || !carries(core, found, conditions.tags)) return undefined
  const isSeen = (path: string): boolean =>
    isWithin(path, conditions.top) && conditions.isMeant(path)
  const paths = found.paths.filter(isSeen)
  const [first] = paths
  if (first === undefined) return undefined
  const path = conditions.reach === undefined ? first : conditions.reach({ ...found, paths })
  if (path === undefined) return undefined
  const { ino, isThere, row } = found
  return { ino, path, score: match.score, isThere, row, versions, fragments: [] }
}

function foundOf(core: Core, ino: number, settled: Moment): Found | undefined {
  const inode = findInode(core, ino)
  if (inode === undefined || inode.nlink === 0) {
    const named = nameOf(core.overlay.store, ino, new Map())
    const range = { gte: [ino], lt: [ino + 1], reverse: true, limit: 1 }
    const [row] = core.overlay.scan(inodePast, range)
    if (named === undefined || row === undefined) return undefined
    return { ino, row, isThere: false, paths: [named.path] }
  }
  if (!isOld(core, inode.ino, settled)) return undefined
  const paths = [lastPath(core, ino)]
  if (inode.nlink > 1 && !isDirectory(inode.mode))
    for (const row of core.overlay.scan(hardlink, { gte: [ino], lt: [ino + 1], limit: LINKS_MAX }))
      paths.push(below(lastPath(core, row.parent), row.name))
  const known = paths.filter((path) => path !== undefined)
  return { ino, row: toRow(inode), isThere: true, paths: known }
}

/** Whether the index knows the names on the way to an inode. */
function isOld(core: Core, ino: number, settled: Moment): boolean {
  for (let at = ino; at !== ROOT_INO; ) {
    const inode = findInode(core, at)
    if (inode === undefined) return false
    const row = findEntry(core, inode.parent, inode.name)
    if (row === undefined || row.since > settled) return false
    at = inode.parent
  }
  return true
}

/** The versions that are still there and meant; undefined when that leaves nothing to show. */
function versionsOf(
  core: Core,
  { ino, row, isThere }: Found,
  { versions }: Match,
  { since, pastToo }: Conditions,
): FoundVersion[] | undefined {
  if (versions.length === 0)
    return isThere || pastToo ? (row.since >= since ? [] : undefined) : undefined
  const found: FoundVersion[] = []
  for (const { number } of versions) {
    if (!pastToo && number !== row.versions) continue
    const its = core.overlay.get(version, [ino, number])
    if (its === undefined || its.moment < since) continue
    const until = pastToo ? endOf(core, its, isThere) : undefined
    const { moment, size, mtime } = its
    found.push({ number, moment, until, size, mtime })
  }
  return found.length === 0 ? undefined : found
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
function carries(core: Core, { ino }: Found, tags: readonly string[]): boolean {
  return tags.every((tag) => core.overlay.get(tagging, [ino, tag]) !== undefined)
}
