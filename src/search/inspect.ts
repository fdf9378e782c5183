// What the indexer finds out about an inode before it reads anything of it: its path, its versions,
// and which of them the index has not.

import type { Store } from '../store/store.ts'
import type { Core } from '../vault/core/core.ts'
import type { FreshFile, FreshFiles } from '../vault/core/fresh-files.ts'
import type { Taker, VersionNumbers } from './index-writer.ts'
import { type KnownPaths, nameOf, pathOf, type SealedVersion, versionsBelow } from './source.ts'
import type { Throttle } from './throttle.ts'

/** Versions of a file asked for at a time, the newest first. */
const VERSIONS = 64
const ALL_VERSIONS = Number.MAX_SAFE_INTEGER

/**
 * How much of an inode is read: its name; new versions too; versions that are gone as well, if it
 * has few or in any case.
 */
export type Depth = 'name' | 'new' | 'few' | 'all'

export interface Inspected {
  readonly ino: number
  readonly path: string | undefined
  /** Newest first. */
  readonly versions: readonly SealedVersion[]
  readonly isAll: boolean
  /** The bytes of its one version, of which the index has nothing. */
  readonly fresh?: Uint8Array
}

type WithVersions = Pick<Inspected, 'ino' | 'versions' | 'fresh'>

export function inspect(
  store: Store,
  ino: number,
  depth: Depth,
  known: KnownPaths,
  files: FreshFiles,
): Inspected {
  if (depth === 'all') files.forget(ino)
  const fresh = depth === 'name' ? undefined : files.peek(ino)
  if (fresh !== undefined) {
    const inspected = inspectFresh(store, fresh, known)
    files.forget(ino)
    return inspected
  }
  const named = nameOf(store, ino, known)
  const limit = depth === 'all' ? ALL_VERSIONS : VERSIONS
  const isRead = named?.isFile === true && depth !== 'name'
  const versions = isRead ? versionsBelow(store, ino, ALL_VERSIONS, limit) : []
  const isAll = depth === 'all' || (depth === 'few' && versions.length < VERSIONS)
  return { ino, path: named?.path, versions, isAll }
}

function inspectFresh(store: Store, { row, bytes }: FreshFile, known: KnownPaths): Inspected {
  const { ino, since: moment, size } = row
  const versions = [{ number: 1, moment, size }]
  return { ino, path: pathOf(store, row, known), versions, isAll: false, fresh: bytes }
}

/** The versions of which to ask the index whether it has them. */
export function versionNumbersOf(inspected: readonly WithVersions[]): VersionNumbers[] {
  return inspected.map(({ ino, versions, fresh }) => ({
    ino,
    numbers: fresh === undefined ? versions.map(({ number }) => number) : [],
  }))
}

/**
 * For each inode the versions that the index lacks, oldest first: what it has of a file has no gap.
 * `unknown` is its answer to `versionNumbersOf(inspected)`; where it has none of those, older ones
 * are asked for.
 */
export async function missingOf(
  core: Core,
  taker: Taker,
  pace: Throttle,
  inspected: readonly Inspected[],
  unknown: Promise<readonly number[][]>,
): Promise<SealedVersion[][]> {
  const missing: SealedVersion[][] = inspected.map(() => [])
  for (const [index, { versions, fresh }] of inspected.entries())
    if (fresh !== undefined) missing[index]?.push(...versions)
  let pages = inspected.map(({ ino, versions, fresh }, index) => ({
    ino,
    versions: fresh === undefined ? versions : [],
    index,
  }))
  let answers = await pace.waitFor(unknown)
  while (pages.length > 0) {
    const next: typeof pages = []
    for (const [position, { ino, versions, index }] of pages.entries()) {
      const numbers = new Set(answers[position])
      missing[index]?.push(...versions.filter(({ number }) => numbers.has(number)))
      const last = versions[versions.length - 1]
      if (last === undefined || numbers.size < versions.length || versions.length !== VERSIONS)
        continue
      const page = await pace.step(() =>
        versionsBelow(core.overlay.store, ino, last.number, VERSIONS),
      )
      if (page.length > 0) next.push({ ino, versions: page, index })
    }
    pages = next
    if (pages.length > 0) answers = await pace.waitFor(taker.missing(versionNumbersOf(pages)))
  }
  return missing.map((versions) => versions.reverse())
}
