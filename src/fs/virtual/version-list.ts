// Kind: versions/NAME/, one read-only file a version, named by its number with the extension of NAME, and `latest`.

import { GenerationCache } from '../../base/generation-cache.ts'
import { PROVISIONAL } from '../../store/collections.ts'
import type { Fault } from '../../store/store.ts'
import type { Core } from '../../vault/core.ts'
import { findEntry } from '../../vault/directory.ts'
import { pastBefore } from '../../vault/lifetimes.ts'
import { type NameVersion, versionsOf } from '../../vault/name-history.ts'
import { directoryAttributes } from './attributes.ts'
import { symlinkTo } from './computed.ts'
import { plantTree } from './past.ts'
import { KEPT_MS, LATEST } from './place.ts'
import { ticksOf } from './row-ticks.ts'
import { pastView } from './tree.ts'
import { type Listed, type View, type ViewKind, waiting } from './view.ts'

const REGULAR = 8
const SYMLINK = 10
/** How long a number that is known needs no new look at the history, neither by us nor by the kernel. */
export const KNOWN_MS = 1000
/** After this nothing that happened to a name changes its numbers: longer than name-history.ts waits for a backup to go. */
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

/** Versions went without anything that happened to their names. */
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

/** Numbers grow from 1, with gaps. */
function findNumber(versions: readonly NameVersion[], number: number): NameVersion | undefined {
  let low = 0
  for (let high = versions.length; low < high; ) {
    const middle = (low + high) >>> 1
    if ((versions[middle] as NameVersion).number < number) low = middle + 1
    else high = middle
  }
  return versions[low]?.number === number ? versions[low] : undefined
}

function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.')
  return dot > 0 && dot < name.length - 1 ? name.slice(dot) : ''
}

/**
 * How long the kernel may keep what leads to versions. A file that an editor moved aside to write it anew brings its versions along
 * when it is deleted, so that numbers may change for a moment; then they stay, and prune and purge are told of (told-versions.ts).
 */
function keptMs(core: Core, directory: number, name: string): number {
  const present = findEntry(core, directory, name)
  const changed = present?.since ?? pastBefore(core, directory, name, PROVISIONAL)?.until ?? 0
  return core.moments.now() - changed > SETTLED_MICROS ? KEPT_MS : KNOWN_MS
}

function fileOf(
  view: VersionListView,
  { ino, moment, number: version }: NameVersion,
  nameMs: number,
): View {
  const { directory, number, name } = view
  const listed = `${version}${extensionOf(name)}`
  const key = `version\0${directory}\0${name}\0${ino}\0${moment}`
  return pastView(
    plantTree(key, { moment, directory, root: ino, nameMs }),
    ino,
    REGULAR,
    number,
    listed,
  )
}

export const versionListKind: ViewKind<VersionListView> = {
  tick: ({ ticks }) => ticks.versions(),
  attributes: (views, view) => ({
    ...directoryAttributes(views, view, false),
    nameMs: view.nameMs,
  }),
  lookup({ fs }, _caller, view, name) {
    const { directory } = view
    const extension = extensionOf(view.name)
    if (name === LATEST) {
      const newest = versionsIn(fs.core, directory, view.name, true).at(-1)
      return newest && latestOf(view, newest, keptMs(fs.core, directory, view.name))
    }
    const digits = name.slice(0, name.length - extension.length)
    if (!/^[1-9]\d{0,9}$/.test(digits) || `${digits}${extension}` !== name) return undefined
    const number = Number(digits)
    const find = (fresh: boolean): NameVersion | undefined =>
      findNumber(versionsIn(fs.core, directory, view.name, fresh), number)
    const version = find(false) ?? find(true)
    return version && fileOf(view, version, keptMs(fs.core, directory, view.name))
  },
  *list({ fs }, _caller, view): Generator<Listed | Fault> {
    const { directory, name } = view
    const versions = yield* waiting(() => versionsIn(fs.core, directory, name, true))
    const nameMs = yield* waiting(() => keptMs(fs.core, directory, name))
    for (const version of versions) {
      const its = fileOf(view, version, nameMs)
      yield { name: listedAs(view, version), type: REGULAR, view: its }
    }
    const newest = versions.at(-1)
    if (newest !== undefined)
      yield { name: LATEST, type: SYMLINK, view: latestOf(view, newest, nameMs) }
  },
}

function listedAs({ name }: VersionListView, { number }: NameVersion): string {
  return `${number}${extensionOf(name)}`
}

function latestOf(view: VersionListView, newest: NameVersion, nameMs: number): View {
  const settledMs = nameMs === KEPT_MS ? nameMs : 0
  return symlinkTo(`latest\0${view.name}`, view, listedAs(view, newest), settledMs)
}
