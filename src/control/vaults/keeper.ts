// Saves a vault's contents when its file, its folder or its lock is removed or replaced while it is
// open: the engine would go on in a file without a name, and everything would be lost at the end.
// Checked at each commit, several times a second, and at the end. From then on fsync(2) and
// unmounting fail, and a complete copy beside the vault's place replaces its store.

import { existsSync, statSync } from 'node:fs'
import { log } from '../../base/log.ts'
import { type Batch, type Store, StoreError } from '../../store/store.ts'
import type { Keeper } from '../../vault/core/keeper.ts'
import { Identity } from '../host/identity.ts'
import { systemCode } from '../wire/errors.ts'
import type { Lock, Missing } from './lock.ts'
import { type Rescue, rescue } from './rescue.ts'

/** Delay before a failed copy (a full disk) is tried again. */
const RETRY_MS = 10_000
/**
 * Files that engines hold open while they run, as suffixes of the vault's path: the lock in a
 * folder, and SQLite's log.
 */
const HELD_FILES = ['/LOCK', '-wal']

/** The keeper of the vault at `vaultPath`, whose lock is `lock`. */
export function keeperOf(vaultPath: string, lock: Lock): Keeper {
  return new VaultKeeper(vaultPath, lock)
}

class VaultKeeper implements Keeper {
  readonly #path: string
  readonly #lock: Lock
  #store: Store | undefined
  #parts: readonly Identity[] = []
  /** Not 0 while the engine itself replaces the vault's file. */
  #replacing = 0
  #loss: Missing | undefined
  #running: Promise<void> = Promise.resolve()
  #rescuing: Promise<Rescue> | undefined
  #rescued: Rescue | undefined
  #failedMs = Number.NEGATIVE_INFINITY

  constructor(vaultPath: string, lock: Lock) {
    this.#path = vaultPath
    this.#lock = lock
  }

  attach(store: Store): void {
    this.#store = store
    this.#parts = HELD_FILES.flatMap((end) => heldFile(this.#path + end))
    const commit = store.commit.bind(store)
    const compact = store.compact.bind(store)
    const close = store.close.bind(store)
    store.commit = (batch) => {
      this.look()
      this.#running = this.#loss?.of === 'vault' ? this.#commitLost(batch, commit) : commit(batch)
      return this.#running
    }
    // An engine that compacts online does so within the vault's own files.
    if (!store.traits.compactsOnline)
      store.compact = async (options) => {
        this.#replacing++
        try {
          await compact(options)
        } finally {
          this.#lock.renew()
          this.#replacing--
        }
      }
    store.close = () => this.#close(close)
  }

  look(): void {
    if (this.#loss?.of === 'vault' || this.#replacing > 0) return
    const found = this.#found()
    if (found === undefined || (this.#loss !== undefined && found.of === 'lock')) return
    this.#loss = found
    log('error', `${this.#told()}; fsync and unmounting fail from now on`)
    if (found.of === 'vault') this.#rescue().catch(() => undefined)
  }

  /** The loss of the vault, or else of its lock file. */
  #found(): Missing | undefined {
    const found = this.#lock.loss()
    if (found?.of === 'vault') return found
    for (const part of this.#parts) {
      const how = part.loss()
      const isInside = part.path.startsWith(`${this.#path}/`)
      if (how !== undefined) return { of: 'vault', path: isInside ? this.#path : part.path, how }
    }
    return found
  }

  assertThere(): void {
    this.look()
    if (this.#loss !== undefined) throw new StoreError('io', this.#told())
  }

  async kept(): Promise<string | undefined> {
    this.look()
    if (this.#loss === undefined) return undefined
    if (this.#loss.of === 'vault') await this.#rescue(true)
    return this.#told()
  }

  /** If there is no copy, the unlinked file is still the best place. */
  async #commitLost(batch: Batch, commit: Store['commit']): Promise<void> {
    const rescued = await this.#rescue().catch(() => undefined)
    return rescued === undefined ? commit(batch) : rescued.store.commit(batch)
  }

  /** Makes the copy, once. A failure is retried after a delay, or at once if `now`. */
  #rescue(now = false): Promise<Rescue> {
    if (!now && performance.now() < this.#failedMs + RETRY_MS)
      return Promise.reject(new StoreError('io', this.#told()))
    this.#rescuing ??= this.#copy()
    return this.#rescuing
  }

  async #copy(): Promise<Rescue> {
    const store = this.#store as Store
    try {
      // Here #running is still an earlier commit, not one that waits for this copy.
      await this.#running.catch(() => undefined)
      const rescued = await rescue(this.#path, store)
      this.#rescued = rescued
      standIn(store, rescued.store)
      log('error', this.#told())
      return rescued
    } catch (error) {
      this.#failedMs = performance.now()
      this.#rescuing = undefined
      log('error', `what ${this.#path} held could not be copied yet`, error)
      throw error
    }
  }

  async #close(close: () => Promise<void>): Promise<void> {
    this.look()
    let failure: unknown
    if (this.#loss?.of === 'vault')
      await this.#rescue(true).catch((error: unknown) => {
        failure = error
      })
    await this.#rescued?.close()
    for (const part of this.#parts) part.close()
    this.#parts = []
    if (this.#mayClose()) await close()
    if (this.#loss === undefined) return
    throw new StoreError('io', this.#told(), failure === undefined ? {} : { cause: failure })
  }

  /**
   * On closing, SQLite removes its log by name, which may belong to another vault by now, and other
   * engines write remaining data.
   */
  #mayClose(): boolean {
    if (this.#loss?.of !== 'vault' || !existsSync(this.#path)) return true
    return this.#lock.loss()?.of !== 'vault' && statSync(this.#path).isFile()
  }

  #told(): string {
    if (this.#loss === undefined) return ''
    const { of, path, how } = this.#loss
    const what = how === 'removed' ? 'was removed (or moved away)' : 'was replaced by another'
    const when = `${path} ${what} while the vault was open`
    if (of === 'lock') return `${when}: what was changed is in ${this.#path}; open it anew`
    if (this.#rescued === undefined) return `${when}, and what it held is not copied yet`
    const { path: copy, missing } = this.#rescued
    const but = missing === 0 ? '' : `, but for ${missing} rows that could not be read`
    return `${when}: all that it held is in ${copy}${but}`
  }
}

/** Makes `store` read and write `other`. */
function standIn(store: Store, other: Store): void {
  Object.assign(store, {
    get: other.get.bind(other),
    scan: other.scan.bind(other),
    project: other.project.bind(other),
    view: other.view.bind(other),
    stats: other.stats.bind(other),
    compact: other.compact.bind(other),
    verify: other.verify.bind(other),
  })
}

function heldFile(path: string): Identity[] {
  try {
    return [new Identity(path)]
  } catch (error) {
    // A file of another engine.
    if (['ENOTDIR', 'ENOENT'].includes(systemCode(error) ?? '')) return []
    throw error
  }
}
