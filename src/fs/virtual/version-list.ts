// Kind: versions/NAME/, one read-only file a version, named by its number with the extension of
// NAME, and `latest`.

import { GenerationCache } from '../../base/generation-cache.ts'
import { DT_LNK, DT_REG } from '../../base/mode.ts'
import { firstIndex } from '../../base/sorted.ts'
import { PROVISIONAL } from '../../store/collections.ts'
import type { Fault } from '../../store/store.ts'
import type { Core } from '../../vault/core/core.ts'
import { pastBefore } from '../../vault/history/lifetimes.ts'
import { type NameVersion, versionsOf } from '../../vault/history/versions.ts'
import { findEntry } from '../../vault/tree/directory.ts'
import { MAY_SEARCH, type Reader, readerOf } from '../access.ts'
import type { FsContext } from '../context.ts'
import { directoryThen, isPresent, mightAccess, seesAll, wasOpen } from '../past-access.ts'
import { directoryAttributes } from './attributes.ts'
import { symlinkTo } from './computed.ts'
import { LATEST } from './fixed-views.ts'
import { pastView } from './past-directory.ts'
import { createPastTree } from './past-tree.ts'
import { ticksOf } from './row-ticks.ts'
import { CACHED_MS, type View, type ViewEntry, type ViewKind, waiting } from './view.ts'

/** How long numbers are used without reading the history again, here and in the kernel's cache. */
export const KNOWN_MS = 1000
/**
 * After this nothing that happened to a name changes its numbers: longer than versions.ts waits for
 * a backup to go.
 */
const SETTLED_MICROS = 11e6
/** For the histories that are known, and what a version takes. */
const KNOWN_BYTES = 16 * 1024 * 1024
const VERSION_COST = 200

export interface VersionListView extends View {
  readonly name: string
  readonly nameMs: number
}

interface Known {
  readonly versions: readonly NameVersion[]
  readonly tick: number
  readonly untilMs: number
}
const known = new WeakMap<Core, GenerationCache<string, Known>>()

/** `fresh`: also what happened a moment ago. */
function versionsIn(
  core: Core,
  directory: number,
  name: string,
  fresh: boolean,
): readonly NameVersion[] {
  let cache = known.get(core)
  if (cache === undefined) {
    cache = new GenerationCache(
      KNOWN_BYTES,
      ({ versions: { length } }) => (1 + length) * VERSION_COST,
    )
    known.set(core, cache)
  }
  const key = `${directory}/${name}`
  const before = cache.get(key)
  if (before !== undefined) {
    const current = before.tick === ticksOf(core).versions()
    if (current || (!fresh && performance.now() < before.untilMs)) return before.versions
  }
  const tick = ticksOf(core).versions()
  const versions = versionsOf(core, directory, name)
  const untilMs = performance.now() + KNOWN_MS
  cache.set(key, { versions, tick, untilMs })
  return versions
}

/** Called when versions went without a change of their names. */
export function forgetVersions(core: Core): void {
  known.delete(core)
}

/** Whether a name has a history in a directory. One that was there a moment ago still is. */
export function hasVersions(core: Core, directory: number, name: string): boolean {
  return (
    versionsIn(core, directory, name, false).length > 0 ||
    versionsIn(core, directory, name, true).length > 0
  )
}

/**
 * The directory of each version when it was made: it never changes, so it is kept as long as the
 * version is known.
 */
const directories = new WeakMap<NameVersion, number | undefined>()

function directoryOf(core: Core, version: NameVersion, directory: number, name: string) {
  if (!directories.has(version))
    directories.set(version, directoryThen(core, version.ino, version.moment, directory, name))
  return directories.get(version)
}

/**
 * The present version is as accessible as its directory is; a former one as its directory was then.
 */
function maySee(
  fs: FsContext,
  reader: Reader,
  view: VersionListView,
  version: NameVersion,
): boolean {
  if (seesAll(fs, reader)) return true
  const { directory, name } = view
  const { ino, moment } = version
  if (isPresent(fs.core, ino, moment, directory, name)) return true
  const formerDirectory = directoryOf(fs.core, version, directory, name)
  return (
    formerDirectory !== undefined && mightAccess(fs, reader, formerDirectory, moment, MAY_SEARCH)
  )
}

/** Whether everybody may see it, so that the kernel may cache the name. */
function isOpen(
  fs: FsContext,
  { directory, name }: VersionListView,
  version: NameVersion,
): boolean {
  if (!fs.shared) return true
  const formerDirectory = directoryOf(fs.core, version, directory, name)
  return formerDirectory !== undefined && wasOpen(fs, formerDirectory, version.moment)
}

/** Numbers grow from 1, with gaps. */
function findNumber(versions: readonly NameVersion[], number: number): NameVersion | undefined {
  const isReached = (index: number): boolean => (versions[index] as NameVersion).number >= number
  const found = versions[firstIndex(versions.length, isReached)]
  return found?.number === number ? found : undefined
}

function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.')
  return dot > 0 && dot < name.length - 1 ? name.slice(dot) : ''
}

/**
 * How long the kernel may keep what leads to versions. A file that an editor moved aside to write
 * it anew brings its versions along when it is deleted, so that numbers may change for a moment;
 * then they stay, and prune and purge are told of (version-notices.ts).
 */
function keptMs(core: Core, directory: number, name: string): number {
  const present = findEntry(core, directory, name)
  const changed = present?.since ?? pastBefore(core, directory, name, PROVISIONAL)?.until ?? 0
  return core.moments.now() - changed > SETTLED_MICROS ? CACHED_MS : KNOWN_MS
}

function fileOf(fs: FsContext, view: VersionListView, found: NameVersion, settledMs: number): View {
  const { ino, moment, number: version } = found
  const { directory, number, name } = view
  const nameMs = isOpen(fs, view, found) ? settledMs : 0
  const listed = `${version}${extensionOf(name)}`
  const key = `version\0${directory}\0${name}\0${ino}\0${moment}`
  return pastView(
    createPastTree(key, { moment, directory, root: ino, nameMs }),
    ino,
    DT_REG,
    number,
    listed,
  )
}

export const versionListKind: ViewKind<VersionListView> = {
  tick: ({ ticks }) => ticks.versions(),
  isCommon: ({ fs }, view) =>
    versionsIn(fs.core, view.directory, view.name, true).every((version) =>
      isOpen(fs, view, version),
    ),
  attributes: (context, view) => ({
    ...directoryAttributes(context, view, false),
    nameMs: view.nameMs,
  }),
  lookup({ fs }, caller, view, name) {
    const { directory } = view
    const extension = extensionOf(view.name)
    const reader = readerOf(caller)
    if (name === LATEST) return latestOf(fs, reader, view)
    const digits = name.slice(0, name.length - extension.length)
    if (!/^[1-9]\d{0,9}$/.test(digits) || `${digits}${extension}` !== name) return undefined
    const number = Number(digits)
    const find = (fresh: boolean): NameVersion | undefined =>
      findNumber(versionsIn(fs.core, directory, view.name, fresh), number)
    const version = find(false) ?? find(true)
    if (version === undefined || !maySee(fs, reader, view, version)) return undefined
    return fileOf(fs, view, version, keptMs(fs.core, directory, view.name))
  },
  *list({ fs }, caller, view): Generator<ViewEntry | Fault> {
    const { directory, name } = view
    const reader = readerOf(caller)
    const versions = yield* waiting(() => versionsIn(fs.core, directory, name, true))
    const nameMs = yield* waiting(() => keptMs(fs.core, directory, name))
    for (const version of versions) {
      if (!(yield* waiting(() => maySee(fs, reader, view, version)))) continue
      const entry = yield* waiting(() => fileOf(fs, view, version, nameMs))
      yield { name: listedAs(view, version), type: DT_REG, view: entry }
    }
    const latest = yield* waiting(() => latestOf(fs, reader, view))
    if (latest !== undefined) yield { name: LATEST, type: DT_LNK, view: latest }
  },
}

function listedAs({ name }: VersionListView, { number }: NameVersion): string {
  return `${number}${extensionOf(name)}`
}

/** The newest version that the reader may see. */
function latestOf(fs: FsContext, reader: Reader, view: VersionListView): View | undefined {
  const { directory, name } = view
  const versions = versionsIn(fs.core, directory, name, true)
  const newest = versions.findLast((version) => maySee(fs, reader, view, version))
  if (newest === undefined) return undefined
  const isForAll = newest === versions.at(-1) && isOpen(fs, view, newest)
  const isSettled = isForAll && keptMs(fs.core, directory, name) === CACHED_MS
  return symlinkTo(`latest\0${name}`, view, listedAs(view, newest), isSettled ? CACHED_MS : 0)
}
