// Kind: versions/NAME/, one read-only file a version, named by its number with the extension of NAME, and `latest`.

import { GenerationCache } from '../../base/generation-cache.ts'
import type { Fault } from '../../store/store.ts'
import type { Core } from '../../vault/core.ts'
import { stateOf } from '../../vault/history.ts'
import { type NameVersion, versionsOf } from '../../vault/name-history.ts'
import { directoryAttributes } from './attributes.ts'
import { symlinkTo } from './computed.ts'
import { plantTree } from './past.ts'
import { pastView } from './tree.ts'
import { type Listed, type View, type ViewKind, waiting } from './view.ts'

const REGULAR = 8
const SYMLINK = 10
const LATEST = 'latest'
/** What the keys of versions begin with. */
const VERSION = 'version\0'
/** How long a number that is known needs no new look at the history, neither by us nor by the kernel: it stays what it is. */
const KNOWN_MS = 1000
/** For the histories that are known, and what a version takes. */
const KNOWN_BYTES = 16 * 1024 * 1024
const VERSION_COST = 200

export interface VersionListView extends View {
  readonly name: string
}

interface Known {
  readonly versions: readonly NameVersion[]
  readonly state: string
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
    const current = before.state === stateOf(core)
    if (current || (!fresh && performance.now() < before.untilMs)) return before.versions
  }
  const versions = versionsOf(core, directory, name)
  const untilMs = performance.now() + KNOWN_MS
  cache.set(key, { versions, state: stateOf(core), untilMs })
  return versions
}

/** Whether a node is one of the versions in such a directory. */
export function isVersion({ key }: View): boolean {
  return key.startsWith(VERSION)
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

function fileOf(view: VersionListView, { ino, moment, number: version }: NameVersion): View {
  const { directory, number, name } = view
  const listed = `${version}${extensionOf(name)}`
  const key = `${VERSION}${directory}\0${name}\0${ino}\0${moment}`
  return pastView(
    plantTree(key, { moment, directory, root: ino, nameMs: KNOWN_MS }),
    ino,
    REGULAR,
    number,
    listed,
  )
}

export const versionListKind: ViewKind<VersionListView> = {
  // Who may come here is decided on the way: there changes of permissions show at once.
  attributes: (views, view) => ({
    ...directoryAttributes(views, view, true),
    nameMs: KNOWN_MS,
  }),
  lookup({ fs }, _caller, view, name) {
    const { directory } = view
    const extension = extensionOf(view.name)
    if (name === LATEST) {
      const newest = versionsIn(fs.core, directory, view.name, true).at(-1)
      return newest && symlinkTo(`latest\0${view.name}`, view, `${newest.number}${extension}`)
    }
    const digits = name.slice(0, name.length - extension.length)
    if (!/^[1-9]\d{0,9}$/.test(digits) || `${digits}${extension}` !== name) return undefined
    const number = Number(digits)
    const find = (fresh: boolean): NameVersion | undefined =>
      findNumber(versionsIn(fs.core, directory, view.name, fresh), number)
    const version = find(false) ?? find(true)
    return version && fileOf(view, version)
  },
  *list({ fs }, _caller, view): Generator<Listed | Fault> {
    const versions = yield* waiting(() => versionsIn(fs.core, view.directory, view.name, true))
    const extension = extensionOf(view.name)
    for (const version of versions)
      yield { name: `${version.number}${extension}`, type: REGULAR, view: fileOf(view, version) }
    const newest = versions.at(-1)
    if (newest === undefined) return
    const target = `${newest.number}${extension}`
    yield { name: LATEST, type: SYMLINK, view: symlinkTo(`latest\0${view.name}`, view, target) }
  },
}
