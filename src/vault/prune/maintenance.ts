// Runs prune and sweeps, one at a time: prune on request, and in the background sweeps of what was
// removed without a trace (history-recording.ts), of blocks that may be unreferenced, and of actors
// once many are new.

import { log } from '../../base/log.ts'
import type { Core } from '../core/core.ts'
import { type Slices, slicesOf } from '../core/time-slices.ts'
import { noteSwept, wasUnswept } from '../tree/history-recording.ts'
import { collectActors } from './gc-actors.ts'
import { collectBlocks } from './gc-blocks.ts'
import { type PruneOptions, type PruneReport, prune } from './prune.ts'
import { type PruneJob, pruneInode } from './prune-inode.ts'
import { NO_MARKS } from './prune-marks.ts'
import { KEEP_ALL } from './retention.ts'

/** The shortest interval between sweeps of blocks. */
const WAIT_MS = 10_000
/** The share of time that walks over all extents may take. */
const SHARE = 0.02

export class Maintenance {
  readonly #core: Core
  #running: Promise<void> | undefined
  readonly #asked = new Set<Promise<unknown>>()
  #closing = false
  #everything: boolean
  #nextAt = 0

  /** `suspectsAll`: it is unknown what is in use, so everything is checked once. */
  constructor(core: Core, suspectsAll: boolean) {
    this.#core = core
    this.#everything = suspectsAll || wasUnswept(core)
    this.#nextAt = performance.now() + WAIT_MS
  }

  /**
   * Prunes, once any running sweep has finished. Rejects with StoreError when a commit is refused
   * or the vault is closed.
   */
  async prune(options: PruneOptions): Promise<PruneReport> {
    const report = await this.run((slices) => prune(this.#core, options, slices))
    if (options.dryRun !== true && options.paths === undefined) this.#everything = false
    return report
  }

  /** Runs work in slices that ends at its next step when the vault is closed. */
  async run<T>(start: (slices: Slices) => Promise<T>): Promise<T> {
    const work = start(slicesOf(this.#core, () => this.#closing))
    this.#asked.add(work)
    try {
      return await work
    } finally {
      this.#asked.delete(work)
    }
  }

  /** Called a few times a second: starts a sweep when there is enough to do. */
  pulse(): void {
    const { history } = this.#core
    const { leftovers, suspects } = history
    if (this.#running !== undefined || this.#closing || history.isSwept) return
    if (this.#core.commits.failure !== undefined) return
    const isWorth = suspects.size > 0 || this.#everything
    const { isCrowded } = this.#core.actors
    if (leftovers.size === 0 && !isCrowded && !(isWorth && performance.now() >= this.#nextAt))
      return
    this.#running = this.#sweep()
      .catch((error: unknown) => {
        if (!this.#closing)
          log('warn', 'sweeping in the background failed; it is tried again', error)
        this.#nextAt = performance.now() + WAIT_MS
      })
      .finally(() => {
        this.#running = undefined
      })
  }

  async #sweep(): Promise<void> {
    const core = this.#core
    const { history } = core
    const slices = slicesOf(core, () => this.#closing)
    if (this.#everything) {
      await prune(core, { rules: {} }, slices)
      this.#everything = false
    }
    history.isSwept = true
    try {
      await sweepLeftovers(core, slices, history.leftovers)
      await this.#collect(slices)
      if (core.actors.isCrowded) await collectActors(core, slices)
    } finally {
      history.isSwept = false
    }
    noteSwept(core)
  }

  async #collect(slices: Slices): Promise<void> {
    const { suspects } = this.#core.history
    const from = performance.now()
    if (suspects.size === 0 || from < this.#nextAt) return
    const candidates = [...suspects]
    suspects.clear()
    try {
      await collectBlocks(this.#core, slices, candidates)
    } catch (error) {
      for (const hash of candidates) suspects.add(hash)
      throw error
    }
    const now = performance.now()
    this.#nextAt = now + Math.max(WAIT_MS, (now - from) / SHARE)
  }

  /** Stops running work at its next step, where the rows are consistent. */
  async close(): Promise<void> {
    this.#closing = true
    await Promise.allSettled([this.#running, ...this.#asked])
  }
}

/**
 * Frees the rows of inodes that were removed without a trace, except those a recorded state needs.
 */
async function sweepLeftovers(core: Core, slices: Slices, leftovers: Set<number>): Promise<void> {
  if (leftovers.size === 0) return
  // Inodes added later have rows that are not durable yet: left for the next sweep.
  const inos = [...leftovers]
  const now = core.moments.last
  await slices.settle()
  const job: PruneJob = {
    core,
    slices,
    now,
    kept: KEEP_ALL,
    marks: NO_MARKS,
    dryRun: false,
    dropped: { versions: 0, states: 0, names: 0, rows: 0 },
    explain: undefined,
  }
  for (const ino of inos) {
    await pruneInode(job, ino)
    leftovers.delete(ino)
    await slices.turn()
  }
}
