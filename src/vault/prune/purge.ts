// Purge: removes all that a path ever held, or some bytes wherever they were, regardless of rules
// and, with `force`, of snapshots and holds. The present stays. This file finds the target and
// drops its rows; control/methods/purge.ts sees to it that nothing remains in the engine's files.
// Like prune, it may be killed at any point and run again: names are dropped before what they lead
// to, versions before states, states before what they were made of.

import { isDirectory } from '../../base/mode.ts'
import {
  entryPast,
  inode as inodes,
  type Key,
  setting,
  tagging,
  taggingPast,
} from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { ALL } from '../../store/store.ts'
import type { Core } from '../core/core.ts'
import type { Slices } from '../core/time-slices.ts'
import { listSnapshots } from '../history/snapshots.ts'
import { walkPastNames } from '../tree/name-walk.ts'
import { LastPlaces, PATHS } from '../tree/places.ts'
import { collectBlocks } from './gc-blocks.ts'
import { listHolds } from './holds.ts'
import { sweptAlone } from './prune.ts'
import { dropUnneeded, type Life, neededBy, type PruneJob, readLife } from './prune-inode.ts'
import { markNames, NO_MARKS } from './prune-marks.ts'
import { dropNumbers, keepNumbers } from './prune-numbers.ts'
import {
  keepPlainStates,
  losesAttributes,
  type MovedVersion,
  movedVersions,
  moveVersions,
  withMoved,
} from './purge-attributes.ts'
import { holdersOf, type Span, wantedOf } from './purge-content.ts'
import { endPurging, isPurging, notePurging } from './purge-labels.ts'
import { everAt, NOW } from './purge-path.ts'
import { Pieces, type Sharer, samplesOf } from './purge-pieces.ts'
import { repackBlocks } from './repack.ts'
import { KEEP_ALL } from './retention.ts'

export interface PurgeOptions {
  /** A path from the root, a byte string; or content. */
  readonly of: { readonly path: string } | { readonly content: Uint8Array }
  /** Also purge what snapshots and holds keep. */
  readonly force: boolean
  /** As if the present files were deleted already; only with dryRun. */
  readonly current: boolean
  /** Reports what would be purged, and changes nothing. */
  readonly dryRun: boolean
  readonly onVersion: (version: PurgedVersion) => void
  readonly onProgress: (done: number, total: number) => void
}

export interface PurgedVersion {
  readonly path: string | undefined
  readonly moment: number
  readonly size: number
}

/** `refused`: nothing was changed, for the reasons listed. Paths are byte strings. */
export interface PurgeReport {
  readonly versions: number
  readonly states: number
  readonly names: number
  readonly rows: number
  readonly blocks: number
  /** The snapshots and holds that keep any of the target's states; labels of its files. */
  readonly snapshots: readonly string[]
  readonly holds: readonly string[]
  readonly tags: readonly string[]
  /** Files whose present content is part of the target, and stays. */
  readonly living: readonly string[]
  /** Deleted files of the target that a program has open. */
  readonly open: readonly string[]
  /** Where else some of the same content is, which stays. */
  readonly shared: readonly Sharer[]
  readonly refused: boolean
  /** Samples by which the content can be found in the engine's files. */
  readonly needles: readonly Uint8Array[]
}

/** Samples of given content. */
const SAMPLES = 16
/** When the last purge ended, so that older backups can be recognized. */
export const PURGED = 'purged'

/** Notes that nothing of the purged data is left. */
export function notePurged(core: Core): void {
  endPurging(core)
  core.overlay.put(setting, { name: PURGED, value: String(core.moments.last) })
}

/**
 * Which states of an inode are purged. `end`: attributes that began before this moment are purged
 * even if they changed without a new state.
 */
interface Doom {
  readonly dooms: (since: number, until: number) => boolean
  readonly end: number
}

/** What is purged: states by inode, and past names. */
interface Target {
  readonly doomed: ReadonlyMap<number, Doom>
  readonly names: readonly Key[]
  readonly living: readonly number[]
}

/**
 * Runs once any other prune or purge is over; resolves when all that was dropped is durable.
 * Rejects with StoreError when a commit is refused.
 */
export function purge(core: Core, options: PurgeOptions, slices: Slices): Promise<PurgeReport> {
  return sweptAlone(core, () => new Purge(core, options, slices).run())
}

class Purge {
  readonly #core: Core
  readonly #options: PurgeOptions
  readonly #slices: Slices
  readonly #job: PruneJob
  readonly #lives = new Map<number, Life>()
  readonly #moved = new Map<number, readonly MovedVersion[]>()
  readonly #doomed: Span[] = []
  readonly #open: number[] = []
  readonly #paths: LastPlaces<string>
  readonly #pieces: Pieces

  constructor(core: Core, options: PurgeOptions, slices: Slices) {
    this.#core = core
    this.#options = options
    this.#slices = slices
    this.#paths = new LastPlaces(core, PATHS)
    core.moments.observe()
    this.#job = {
      core,
      slices,
      now: core.moments.last,
      kept: KEEP_ALL,
      marks: NO_MARKS,
      dryRun: true,
      dropped: { versions: 0, states: 0, names: 0, rows: 0 },
      explain: {
        paths: this.#paths,
        tell: (its) => its.why === '' && options.onVersion(its),
      },
    }
    this.#pieces = new Pieces(core, slices)
  }

  async run(): Promise<PurgeReport> {
    const { of, force, current, dryRun } = this.#options
    await this.#slices.settle()
    const target = await this.#find()
    await this.#look(target)
    const keepers = await this.#keepers()
    const shared = await this.#pieces.sharers((ino) => this.#needs(ino))
    const isKept = keepers.snapshots.length + keepers.holds.length > 0 && !force
    const refused = isKept || this.#open.length > 0 || (target.living.length > 0 && !current)
    const names = await this.#pastNames(target)
    // Of a purge that was cut off the rows may be gone, and the blocks still there.
    const wasCut = await retryUntilLoaded(() => isPurging(this.#core))
    const isEmpty = this.#lives.size + names.length === 0
    let blocks = 0
    if (!dryRun && !refused && (wasCut || !isEmpty)) blocks = await this.#letGo(names, keepers.tags)
    const { versions, states, rows } = this.#job.dropped
    return {
      ...{ versions, states, rows, blocks, names: names.length },
      ...keepers,
      living: await this.#pathsOf(target.living),
      open: await this.#pathsOf(this.#open),
      shared,
      refused,
      needles: [
        ...('content' in of ? samplesOf(of.content, SAMPLES) : []),
        ...this.#pieces.needles,
      ],
    }
  }

  async #find(): Promise<Target> {
    const { of, onProgress } = this.#options
    const doomed = new Map<number, Doom>()
    if ('path' in of) {
      const { until: ends, names } = await everAt(this.#core, of.path, this.#slices)
      for (const [ino, end] of ends) doomed.set(ino, { dooms: (since) => since < end, end })
      return { doomed, names, living: [] }
    }
    const { spans, living } = await holdersOf(
      this.#core,
      wantedOf(of.content),
      this.#slices,
      (done) => onProgress(done, this.#core.inodeCount),
    )
    for (const [ino, its] of spans)
      doomed.set(ino, { dooms: (since, until) => overlaps(its, since, until), end: 0 })
    return { doomed, names: [], living }
  }

  /** Reads the lives of all inodes that lose something, and what they lose. */
  async #look({ doomed }: Target): Promise<void> {
    for (const [ino, { dooms, end }] of doomed) {
      const read = await readLife(this.#job, ino, (since, until) =>
        dooms(since, until) ? '' : 'moment',
      )
      const { present, states } = read
      if (this.#core.orphans.has(ino)) {
        this.#open.push(ino)
        continue
      }
      const stays = present !== undefined && !this.#options.current
      const life = { ...read, present: stays ? present : undefined, forgottenUntil: end }
      if (stays) {
        // What ends while this runs belongs to the present.
        for (const state of states) if (state.since >= present) state.why = 'newest'
        if (end === NOW && (await retryUntilLoaded(() => this.#isDirectory(ino))))
          await keepPlainStates(this.#job, ino, states)
      }
      // An inode without states is deleted nevertheless, and loses its rows.
      const isKept = states.every(({ why }) => why !== '')
      const forgets = stays && (await losesAttributes(this.#job, ino, life))
      if (isKept && !forgets && (stays || states.length > 0) && !this.#options.current) continue
      const moved = await movedVersions(this.#job, ino, life, forgets)
      this.#moved.set(ino, moved)
      await this.#take(ino, { ...life, versions: withMoved(life.versions, moved) }, present)
    }
  }

  async #take(ino: number, life: Life, present: number | undefined): Promise<void> {
    this.#lives.set(ino, life)
    const { states } = life
    this.#doomed.push(...states.filter(({ why }) => why === ''))
    if (present !== undefined && life.present === undefined)
      this.#doomed.push({ since: present, until: NOW })
    await dropUnneeded(this.#job, ino, life)
    await this.#pieces.take(ino, life)
  }

  #isDirectory(ino: number): boolean {
    const row = this.#core.inodes.get(ino) ?? this.#core.overlay.get(inodes, [ino])
    return row !== undefined && isDirectory(row.mode)
  }

  /** Tells what of an inode stays; undefined when it loses nothing. */
  #needs(ino: number): ReturnType<typeof neededBy> | undefined {
    const life = this.#lives.get(ino)
    return life === undefined ? undefined : neededBy(life)
  }

  async #keepers(): Promise<Pick<PurgeReport, 'snapshots' | 'holds' | 'tags'>> {
    const core = this.#core
    const isMeant = (moment: number): boolean =>
      this.#doomed.some(({ since, until }) => since <= moment && moment < until)
    const snapshots = (await retryUntilLoaded(() => listSnapshots(core)))
      .filter(({ moment }) => isMeant(moment))
      .map(({ name }) => name)
    const holds = await retryUntilLoaded(() => listHolds(core))
    const held = holds.filter(({ moment }) => moment > 0 && isMeant(moment))
    const { held: inos, holds: paths } = await markNames(core, {}, core.moments.last, this.#slices)
    const isHeld = [...this.#lives.keys()].some((ino) => inos.has(ino))
    const tags = new Set<string>()
    for (const ino of this.#lives.keys())
      for (const tag of await retryUntilLoaded(() => labelsEverOn(core, ino))) tags.add(tag)
    return {
      snapshots,
      holds: [...held.map(({ name }) => name), ...(isHeld ? paths : [])],
      tags: [...tags].sort(),
    }
  }

  /** Past names at the path, and those of inodes that are purged completely. */
  async #pastNames({ names }: Target): Promise<Key[]> {
    const vanishing = new Set<number>()
    for (const [ino, { present, states }] of this.#lives)
      if (present === undefined && states.every(({ why }) => why === '')) vanishing.add(ino)
    const keys = new Map(names.map((key) => [key.join('\0'), key]))
    if (vanishing.size > 0)
      for await (const { parent, name, pasts } of walkPastNames(this.#core, this.#slices))
        for (const { ino, since } of pasts)
          if (vanishing.has(ino)) keys.set(`${parent}\0${name}\0${since}`, [parent, name, since])
    return [...keys.values()]
  }

  async #letGo(names: readonly Key[], labels: readonly string[]): Promise<number> {
    const core = this.#core
    const slices = this.#slices
    notePurging(core, labels)
    await slices.settle()
    await keepNumbers(core, core.moments.last, () => false, slices)
    await slices.settle()
    for (const key of names) {
      core.overlay.delete(entryPast, key)
      slices.changed(1)
      await slices.turn()
    }
    await slices.settle()
    const job = {
      ...this.#job,
      dryRun: false,
      dropped: { versions: 0, states: 0, names: 0, rows: 0 },
      explain: undefined,
    }
    let done = 0
    for (const [ino, life] of this.#lives) {
      this.#options.onProgress(++done, this.#lives.size)
      await retryUntilLoaded(() => moveVersions(core, ino, this.#moved.get(ino) ?? []))
      await dropUnneeded(job, ino, life)
      await slices.turn()
    }
    await slices.settle()
    await dropNumbers(core, slices)
    await repackBlocks(core, slices)
    core.history.suspects.clear()
    return collectBlocks(core, slices, 'all')
  }

  async #pathsOf(inos: readonly number[]): Promise<string[]> {
    const found: string[] = []
    for (const ino of inos) found.push(await retryUntilLoaded(() => this.#paths.of(ino) ?? ''))
    return found.sort()
  }
}

/** All labels that an inode carries or carried. */
function labelsEverOn(core: Core, ino: number): string[] {
  const range = { gte: [ino], lt: [ino + 1], limit: ALL }
  return [...core.overlay.scan(tagging, range), ...core.overlay.scan(taggingPast, range)].map(
    ({ tag }) => tag,
  )
}

function overlaps(spans: readonly Span[], since: number, until: number): boolean {
  return spans.some((span) => span.since < until && since < span.until)
}
