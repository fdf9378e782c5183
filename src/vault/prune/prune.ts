// Prune: drops past states that no rule, snapshot or hold keeps, then blocks that are no longer
// used. Works in slices alongside requests; each leaves the rows consistent, so it may be killed at
// any point and run again. Never touches the present.

import { setTimeout as sleep } from 'node:timers/promises'
import type { PathRule } from '../../base/path-rule.ts'
import { entryPast } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Core } from '../core/core.ts'
import { BRIEF_MICROS } from '../core/moments.ts'
import type { Slices } from '../core/time-slices.ts'
import { isDeleted } from '../history/lifetimes.ts'
import { walkInodes } from '../tree/inode-walk.ts'
import { type NameGroup, type PastName, walkPastNames } from '../tree/name-walk.ts'
import { LastPlaces, PATHS } from '../tree/places.ts'
import { collectActors } from './gc-actors.ts'
import { collectBlocks } from './gc-blocks.ts'
import { type PrunedVersion, type PruneJob, pruneInode, vanishes } from './prune-inode.ts'
import { isThere, type Marks, markMoment, markNames } from './prune-marks.ts'
import { dropNumbers, keepNumbers } from './prune-numbers.ts'
import { repackBlocks } from './repack.ts'
import { keeps, keepsEverything, keptBy, type Rules } from './retention.ts'

export interface PruneOptions {
  readonly rules: Rules
  /** Only what is or was at paths that the rule matches; names are byte strings. */
  readonly paths?: PathRule<unknown> | undefined
  /** Counts what would be dropped, and changes nothing. */
  readonly dryRun?: boolean
  /** Also frees blocks of which only parts are used (repack.ts). */
  readonly tighten?: boolean
  /** Called with every version that is examined. */
  readonly explain?: ((version: PrunedVersion) => void) | undefined
  readonly onProgress?: ((done: number, total: number) => void) | undefined
  /** Awaited where the rows are consistent; an error it throws ends the run there. */
  readonly between?: (() => Promise<void> | undefined) | undefined
}

export interface PruneReport {
  readonly versions: number
  /** Past states of inodes, past names, and other past rows that were dropped. */
  readonly states: number
  readonly names: number
  readonly rows: number
  /** Blocks that were freed; with `dryRun`, blocks that are unused already. */
  readonly blocks: number
}

/** How often a waiting run checks whether the previous one is over. */
const WAIT_MS = 10

/** Runs once any other run is over. Rejects with StoreError when a commit is refused. */
export function prune(core: Core, options: PruneOptions, slices: Slices): Promise<PruneReport> {
  return sweptAlone(core, () => pruneAll(core, options, slices))
}

/** Runs work that drops rows; one at a time. */
export async function sweptAlone<T>(core: Core, work: () => Promise<T>): Promise<T> {
  while (core.history.isSwept) await sleep(WAIT_MS)
  core.history.isSwept = true
  try {
    return await work()
  } finally {
    core.history.isSwept = false
  }
}

async function pruneAll(core: Core, options: PruneOptions, slices: Slices): Promise<PruneReport> {
  const { rules, dryRun = false } = options
  const meant = options.paths && meantBy(core, options.paths)
  // What changes from here on is newer than anything that is dropped.
  core.moments.observe()
  const now = core.moments.last
  // Ages count from today, even if nothing has changed for long.
  const today = core.moments.now()
  await slices.settle()
  const kept = await retryUntilLoaded(() => keptBy(core, rules, today))
  const dropped = { versions: 0, states: 0, names: 0, rows: 0 }
  const everything = keepsEverything(rules)
  const marks = await markNames(core, everything ? {} : rules, today, slices)
  const explain = options.explain && {
    paths: new LastPlaces(core, PATHS),
    tell: options.explain,
  }
  const job: PruneJob = { core, slices, now, kept, marks, dryRun, dropped, explain }
  const isLeftAlone = (group: NameGroup): boolean => isLeft(job, group, meant)
  if (!everything && !dryRun) await keepNumbers(core, kept.window, isLeftAlone, slices)
  // Names first: the inodes are still whole, so each name that stays leads to something, now and
  // afterwards.
  if (!everything) await pruneNames(job, meant)
  await slices.settle()
  let done = 0
  for await (const ino of walkInodes(core, slices)) {
    options.onProgress?.(++done, Math.max(done, core.inodeCount))
    if (meant === undefined || (await retryUntilLoaded(() => meant.inode(ino))))
      await pruneInode(job, ino)
    await options.between?.()
    await slices.turn()
  }
  await slices.settle()
  if (!everything && !dryRun) await dropNumbers(core, slices)
  // All blocks are checked below.
  if (!dryRun) core.history.suspects.clear()
  if (!dryRun && options.tighten === true) await repackBlocks(core, slices)
  const blocks = await collectBlocks(core, slices, 'all', dryRun)
  if (!dryRun) await collectActors(core, slices)
  return { ...dropped, blocks }
}

interface Meant {
  /** A file with several names must match with all of them. */
  inode(ino: number): boolean
  name(parent: number, name: string): boolean
}

function meantBy<S>(core: Core, rule: PathRule<S>): Meant {
  const places = new LastPlaces(core, rule)
  return {
    inode(ino) {
      const all = places.all(ino)
      return all.length > 0 && all.every(rule.means)
    },
    name(parent, name) {
      const place = places.named(parent, name)
      return place !== undefined && rule.means(place)
    },
  }
}

async function pruneNames(job: PruneJob, meant: Meant | undefined): Promise<void> {
  const { core, slices } = job
  for await (const group of walkPastNames(core, slices)) {
    const { parent, name, pasts } = group
    const isWhole = await retryUntilLoaded(() => isLeft(job, group, meant))
    const stays = isWhole ? pasts.map(() => true) : needed(job, group)
    const isParentThere = await retryUntilLoaded(() => isThere(core, parent))
    for (const [index, row] of pasts.entries()) {
      if (stays[index] && !(await isEmpty(job, row, meant))) {
        // A restored name leads to its last inode, and a restored directory to its state before its
        // first name was removed (removal.ts).
        if (isDeleted(row.fate)) markMoment(job.marks, row.ino, row.until - 1)
        if (!isParentThere) markMoment(job.marks, parent, row.until - 1)
        continue
      }
      job.dropped.names++
      if (job.dryRun) continue
      core.overlay.delete(entryPast, [parent, name, row.since])
      slices.changed(1)
    }
    await slices.turn()
  }
}

/** Whether a name is left alone altogether. */
function isLeft(
  { marks }: PruneJob,
  { parent, name }: NameGroup,
  meant: Meant | undefined,
): boolean {
  return marks.isHeld(parent, name) || (meant !== undefined && !meant.name(parent, name))
}

/** Whether a name leads to an inode of which nothing stays. */
async function isEmpty(
  job: PruneJob,
  { ino }: PastName,
  meant: Meant | undefined,
): Promise<boolean> {
  const isTouched = meant === undefined || (await retryUntilLoaded(() => meant.inode(ino)))
  return isTouched && (await vanishes(job, ino))
}

/** Which past rows of a name stay. */
function needed({ kept, marks }: PruneJob, { pasts }: NameGroup): boolean[] {
  const stays = pasts.map((row) => keeps(kept, row.since, row.until) || leadsToKept(marks, row))
  // Whether a name is temporary is decided from consecutive rows without a gap, so a brief row that
  // stays keeps enough of its neighbours to show that it was not.
  const keepNext = (index: number): boolean => {
    const row = pasts[index] as PastName
    stays[index] = true
    marks.gone.add(row.ino)
    return row.until - row.since < BRIEF_MICROS
  }
  for (const [index, isKept] of [...stays].entries()) {
    const row = pasts[index] as PastName
    if (!isKept || row.until - row.since >= BRIEF_MICROS) continue
    for (let at = index; pasts[at - 1]?.until === pasts[at]?.since && at > 0; at--)
      if (!keepNext(at - 1)) break
    for (let at = index; pasts[at + 1]?.since === pasts[at]?.until; at++)
      if (!keepNext(at + 1)) break
  }
  return stays
}

/** Whether kept versions are found through this name. */
function leadsToKept(marks: Marks, { ino, until }: PastName): boolean {
  const oldest = marks.oldest.get(ino)
  return (oldest !== undefined && oldest < until) || marks.gone.has(ino) || marks.held.has(ino)
}
