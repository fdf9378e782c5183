// A vault: opening and closing it, its periodic work (commits, late seals), and facts about it. The
// folders beside this file do the work on `core`; src/fs gives it POSIX semantics.

import { randomUUID } from 'node:crypto'
import { nowMicros } from '../base/clock.ts'
import { log } from '../base/log.ts'
import { steady } from '../base/steady.ts'
import { syncFiles } from '../base/sync-files.ts'
import {
  type Collection,
  clock,
  inode as inodes,
  type SettingRow,
  setting,
} from '../store/collections.ts'
import { GroupCommit } from '../store/group-commit.ts'
import { IntentLog } from '../store/intent-log/intent-log.ts'
import { openStore } from '../store/open.ts'
import { Overlay } from '../store/overlay.ts'
import { retryUntilLoaded, tryNow } from '../store/retry.ts'
import {
  ALL,
  type Batch,
  type Changes,
  type CompactOptions,
  type Store,
  type StoreTraits,
} from '../store/store.ts'
import { type CheckOptions, type CheckReport, checkStore } from './check/check.ts'
import { readUsage } from './check/count-usage.ts'
import { flushWrites } from './content/content.ts'
import { defragmentNext } from './content/defragment.ts'
import { sealAll, sealQuiet } from './content/seal.ts'
import { Actors } from './core/actors.ts'
import { Blocks } from './core/blocks.ts'
import { limitPool, shrinkPool } from './core/buffer-pool.ts'
import { ChangedInodes } from './core/changed-inodes.ts'
import { lastSteps, noteClock } from './core/clock-rows.ts'
import { configuredMs } from './core/configuration.ts'
import { type Core, makeCaches } from './core/core.ts'
import { DiskSpace, type Space } from './core/disk-space.ts'
import type { VaultInfo, VaultStats } from './core/facts.ts'
import { ROOT_INO } from './core/inode.ts'
import type { Keeper } from './core/keeper.ts'
import { LayerBatches } from './core/layer-batches.ts'
import { Lineage } from './core/lineage.ts'
import { SHARES } from './core/memory-shares.ts'
import { Moments } from './core/moments.ts'
import { refreshQuota } from './core/quota.ts'
import { birthRows, counterRows, nextInoOf, readCounters, readSetting } from './core/settings.ts'
import { beginSlice, noteSlice } from './core/time-slices.ts'
import { storedUsage, Usage, usageRowsOf } from './core/usage.ts'
import { Maintenance } from './prune/maintenance.ts'
import type { PruneOptions, PruneReport } from './prune/prune.ts'
import { type PurgeOptions, type PurgeReport, purge } from './prune/purge.ts'
import { recover } from './recover.ts'
import { directoryRow } from './tree/directory-row.ts'
import { refreshHistory } from './tree/history-recording.ts'
import { reap } from './tree/inodes.ts'
import { prefetchEnd } from './tree/prefetch.ts'

export interface VaultOptions {
  /** Memory for caches, in bytes. */
  readonly cacheBytes?: number
  /** The longest time until a change is durable, plus one commit; default: the vault's setting. */
  readonly commitMs?: number
  /** How often a file that is held open and written is sealed; default: the vault's setting. */
  readonly sealMs?: number
  readonly readOnly?: boolean
  /** Detects that the vault is removed while it is open; ignored for a read-only one. */
  readonly keeper?: Keeper
}

const CACHE_BYTES = 256 * 1024 * 1024
/** Dirty bytes that start a commit early. */
const DIRTY_BYTES_MAX = 8 * 1024 * 1024
/** Interval of periodic work. */
const PULSE_MS = 250
/** How long tidying may hold up other work in each pulse. */
const TIDY_MS = 5

/**
 * Creates a new vault, durably, with an empty root directory owned by the caller. Throws StoreError
 * when it exists.
 */
export async function createVault(path: string, backend: string): Promise<void> {
  const store = await openStore(path, { create: true, backend })
  try {
    await store.commit(birthBatch())
  } finally {
    await store.close()
  }
  // Engines do not sync the directory entries of the files they create.
  if (store.traits.persistent) syncFiles(path)
}

/** The first commit of a vault: its settings and its root directory. */
export function birthBatch(): Batch {
  const moment = nowMicros()
  const uid = process.getuid?.() ?? 0
  const gid = process.getgid?.() ?? 0
  const place = { ino: ROOT_INO, parent: ROOT_INO, name: '' }
  const root = directoryRow({ ...place, permissions: 0o755, uid, gid, since: moment })
  const settings: SettingRow[] = [
    ...birthRows(randomUUID(), new Date(moment / 1000).toISOString()),
    ...counterRows({ moment, nextIno: ROOT_INO + 1, inodes: 1 }),
    ...usageRowsOf(new Map([[uid, { bytes: 0, files: 1 }]]), moment),
  ]
  return [changes(setting, settings), changes(inodes, [root])]
}

function changes<R extends object>(collection: Collection<R>, puts: readonly R[]): Changes {
  return { collection: collection as unknown as Collection<object>, puts, deletes: [] }
}

/** Opens a vault and finishes what a crash left undone. Throws StoreError. */
export async function openVault(path: string, options: VaultOptions = {}): Promise<Vault> {
  const store = await openStore(path, {
    readOnly: options.readOnly === true,
    cacheBytes: Math.floor((options.cacheBytes ?? CACHE_BYTES) * SHARES.engine),
  })
  if (options.readOnly !== true) options.keeper?.attach(store)
  try {
    const usage = await readUsage(store)
    return await retryUntilLoaded(() => new Vault(store, path, options, usage.copy()))
  } catch (error) {
    await store.close()
    throw error
  }
}

export class Vault {
  readonly core: Core
  readonly path: string
  readonly readOnly: boolean
  /** For the cache of its search index. */
  readonly searchCacheBytes: number
  readonly #store: Store
  readonly #log: IntentLog | undefined
  readonly #sweeper: Maintenance
  readonly #pulse: NodeJS.Timeout | undefined
  readonly #lineage: Lineage
  readonly #keeper: Keeper | undefined

  /** `usage`: from `readUsage`; omitted for a vault whose counters are known to be right. */
  constructor(store: Store, path: string, options: VaultOptions, usage?: Usage) {
    this.#store = store
    this.path = path
    this.readOnly = options.readOnly === true
    this.#keeper = this.readOnly ? undefined : options.keeper
    const counters = readCounters(store)
    this.#lineage = new Lineage(store)
    const overlay = new Overlay(store)
    const { cacheBytes = CACHE_BYTES } = options
    this.searchCacheBytes = Math.floor(cacheBytes * SHARES.search)
    limitPool(cacheBytes * SHARES.freeBuffers)
    this.#log = this.readOnly || !store.traits.persistent ? undefined : new IntentLog(path)
    const batches = new LayerBatches(() => this.core)
    const commits = new GroupCommit(overlay, {
      intervalMs: options.commitMs ?? configuredMs({ overlay }, 'commit'),
      collect: () => this.#collect(),
      prepare: (layer) => batches.prepare(layer),
      settled: (layers) => batches.settled(layers),
      log: this.#log,
    })
    this.core = {
      overlay,
      commits,
      diskSpace: new DiskSpace(store, path, commits),
      usage: usage ?? new Usage(storedUsage(store).users),
      moments: new Moments(counters.moment, overlay.scan(clock, { limit: ALL })),
      actors: new Actors(overlay),
      changed: new ChangedInodes(counters.moment),
      blocks: new Blocks(store, cacheBytes * SHARES.blocks),
      ...makeCaches(cacheBytes),
      longestSliceMs: 0,
      longestSliceCpuMs: 0,
      dirtyBytes: 0,
      nextIno: nextInoOf(store, counters),
      inodeCount: counters.inodes,
    }
    this.core.actors.prepare()
    const { swept, sealed } = recover(this.core)
    // A read-only vault is not changed.
    if (swept + sealed > 0 && !this.readOnly)
      log('info', `after a crash: ${sealed} open files sealed, ${swept} unlinked ones swept`)
    refreshHistory(this.core)
    refreshQuota(this.core)
    this.#sweeper = new Maintenance(this.core, swept > 0)
    if (this.readOnly) return
    const heldMs = options.sealMs ?? configuredMs(this.core, 'seal')
    const beats = [
      steady('looking at the clock', () => noteClock(this.core)),
      steady('saving versions of what is open', () => sealQuiet(this.core, heldMs)),
      steady('tidying', () => this.#tidy()),
      steady('sweeping', () => this.#sweeper.pulse()),
      steady('looking for the vault', () => this.#keeper?.look()),
    ]
    this.#pulse = setInterval(() => {
      for (const beat of beats) beat()
    }, PULSE_MS)
    this.#pulse.unref()
    commits.start()
  }

  #collect(): void {
    const { core } = this
    noteClock(core)
    for (const inode of [...core.dirty]) flushWrites(core, inode)
    core.dirtyBytes = 0
    core.moments.observe()
    if (core.overlay.size === 0) return
    const counters = {
      moment: core.moments.last,
      nextIno: core.nextIno,
      inodes: core.inodeCount,
    }
    for (const row of counterRows(counters)) core.overlay.put(setting, row)
    core.usage.note(core.overlay, core.orphans, counters.moment)
    this.#lineage.note(core.overlay)
  }

  /** Rewrites fragmented chunks while nothing is written, a few milliseconds at a time. */
  #tidy(): void {
    const { core } = this
    if (core.dirty.size > 0 || core.commits.behind) return
    if (core.overlay.size === 0) shrinkPool()
    if (core.fragmented.size === 0 || core.diskSpace.isTight) return
    const began = beginSlice()
    let more = true
    const rewrite = (): void => {
      more = defragmentNext(core)
    }
    while (more && performance.now() < began.atMs + TIDY_MS && tryNow(rewrite));
    noteSlice(core, began)
  }

  /**
   * Starts a commit when much was written. Returns a promise for the writer to await while the
   * engine cannot keep up.
   */
  relieve(): Promise<void> | undefined {
    const { core } = this
    if (core.dirtyBytes < DIRTY_BYTES_MAX) return undefined
    core.commits.nudge()
    return core.dirtyBytes < DIRTY_BYTES_MAX ? undefined : core.commits.pressure
  }

  /**
   * fsync(2): resolves when everything done so far survives a crash, in the engine or its log.
   * Rejects as `sync` does.
   */
  async durable(): Promise<void> {
    if (this.readOnly) return
    await this.core.commits.durable()
    this.#keeper?.assertThere()
  }

  /**
   * Resolves when everything done so far is durable in the engine, where others can read it.
   * Rejects with StoreError when the engine refuses, or the vault was moved or removed.
   */
  async sync(): Promise<void> {
    if (this.readOnly) return
    await this.core.commits.commit()
    this.#keeper?.assertThere()
  }

  /** See Keeper.kept. */
  async loss(): Promise<string | undefined> {
    return await this.#keeper?.kept()
  }

  /**
   * Seals what is open, drops inodes without a name, makes everything durable and closes the
   * engine. Rejects with StoreError when something was refused or is damaged; all else is done.
   */
  async close(): Promise<void> {
    clearInterval(this.#pulse)
    const steps = [
      () => this.#reapOrphans(),
      () => this.#sweeper.close(),
      () => this.#sealAll(),
      () => this.#stop(),
      () => this.#log?.close(),
      () => this.#store.close(),
    ]
    const failures: unknown[] = []
    for (const step of steps)
      try {
        await step()
      } catch (error) {
        failures.push(error)
      }
    if (failures.length > 0) throw failures.at(-1)
  }

  async #sealAll(): Promise<void> {
    if (this.readOnly || this.core.commits.failure !== undefined) return
    await retryUntilLoaded(() => sealAll(this.core))
  }

  async #stop(): Promise<void> {
    if (!this.readOnly) await this.#withoutLog(() => this.core.commits.stop())
  }

  /** Commits everything to the engine and removes the log, if there is one. */
  #withoutLog(commit: () => Promise<void>): Promise<void> {
    return this.#log === undefined ? commit() : this.#log.retire(commit)
  }

  /** After an unmount the kernel no longer releases what it held, and nobody can use it. */
  async #reapOrphans(): Promise<void> {
    const { core } = this
    if (this.readOnly || core.commits.failure !== undefined) return
    for (const inode of [...core.orphans.values()])
      await retryUntilLoaded(() => {
        prefetchEnd(core, inode)
        reap(core, inode, core.moments.next())
      })
  }

  info(): VaultInfo {
    return {
      id: readSetting(this.#store, 'id') ?? '',
      backend: this.#store.traits.backend,
      format: Number(readSetting(this.#store, 'format')),
      createdAt: readSetting(this.#store, 'created_at') ?? '',
      path: this.path,
      clock: lastSteps(this.core),
    }
  }

  get traits(): StoreTraits {
    return this.#store.traits
  }

  stats(): VaultStats {
    const { bytes, engine } = this.#store.stats()
    const { core } = this
    return {
      inodes: core.inodeCount,
      bytes,
      commits: core.commits.commits,
      open: core.open.size,
      orphans: core.orphans.size,
      dirtyBytes: core.dirtyBytes,
      blockHits: core.blocks.hits,
      blockLoads: core.blocks.loads,
      longestSliceMs: Math.round(core.longestSliceMs * 10) / 10,
      longestSliceCpuMs: Math.round(core.longestSliceCpuMs * 10) / 10,
      engine,
    }
  }

  /** Space on the host's file system. */
  space(): Space {
    return this.core.diskSpace.space()
  }

  /**
   * Drops past states (prune.ts), one run at a time. Rejects with StoreError when a commit is
   * refused.
   */
  prune(options: PruneOptions): Promise<PruneReport> {
    return this.#sweeper.prune(options)
  }

  /** Purges a path or content (purge.ts). Rejects with StoreError when a commit is refused. */
  purge(options: PurgeOptions): Promise<PurgeReport> {
    return this.#sweeper.run((slices) => purge(this.core, options, slices))
  }

  async compact(options: CompactOptions = {}): Promise<void> {
    // The log, too, has bytes of what was deleted.
    if (options.anew === true) await this.#withoutLog(() => this.sync())
    else await this.sync()
    await this.#store.compact(options)
  }

  /** A read-only view of all that was done so far; the caller closes it. */
  async view(): Promise<Store> {
    await this.sync()
    return await this.#store.view()
  }

  /** Checks everything that is durable now; reads only, and other work runs in between. */
  async check(options: CheckOptions): Promise<CheckReport> {
    const view = await this.view()
    try {
      return await checkStore(view, options, this.#store)
    } finally {
      await view.close()
    }
  }
}
