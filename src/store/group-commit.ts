// Decides when changes become durable: at the latest after `intervalMs`, when much is dirty, or at
// once when someone waits. One batch is prepared while another is being written; all who ask
// meanwhile share the next one. A commit that the engine refuses stays in memory, is tried again,
// and everybody who asks is told why.

import { log } from '../base/log.ts'
import { startStep } from '../base/step.ts'
import type { Layer, Overlay } from './overlay.ts'
import { type Batch, Fault, type StoreError } from './store.ts'

/** How long a refused commit waits before it is tried again. */
const RETRY_MS = 1000
/** Batches between overlay and engine: one being prepared, one being written. */
const WAITING_MAX = 2

interface GroupCommitOptions {
  readonly intervalMs: number
  /**
   * Called just before changes are handed over: puts into the overlay what is still kept elsewhere.
   */
  readonly collect: () => void
  /** Completes a layer (hashes, compresses) and says what to write. */
  readonly prepare: (layer: Layer) => Promise<Batch>
  /** Called when a layer has become durable. */
  readonly settled: (layer: Layer) => void
}

export class GroupCommit {
  readonly #overlay: Overlay
  readonly #options: GroupCommitOptions
  #waiting = 0
  #next: Promise<void> | undefined
  /** Ends when the engine has taken the newest layer. */
  #tail: Promise<void> = Promise.resolve()
  /** What those who wait for the newest layer are told. */
  #told: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #failure: StoreError | undefined
  /** Tell those who wait for a layer that is under way. */
  readonly #refusals = new Set<(error: unknown) => void>()
  #wake: (() => void)[] = []
  #stopped = false
  commits = 0

  constructor(overlay: Overlay, options: GroupCommitOptions) {
    this.#overlay = overlay
    this.#options = options
  }

  /** Why the engine refused the last commit, as long as it is not written. */
  get failure(): StoreError | undefined {
    return this.#failure
  }

  /**
   * Starts the clock: changes made from now on are durable within `intervalMs` and the time of one
   * commit.
   */
  start(): void {
    this.#timer = setInterval(() => this.nudge(), this.#options.intervalMs)
    this.#timer.unref()
  }

  /** Commits soon; nobody waits for it. */
  nudge(): void {
    if (this.#next === undefined) this.commit().catch(() => {})
  }

  /**
   * Resolves when everything that was done before this call is durable. Rejects with the engine's
   * StoreError when it refuses; the changes are kept and tried again.
   */
  commit(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#next !== undefined) return this.#next
    if (!this.behind) return this.#handOver()
    this.#next = this.#later()
    return this.#next
  }

  /** True while the engine is more than a batch behind. */
  get behind(): boolean {
    return this.#waiting >= WAITING_MAX
  }

  /** A promise while the engine is more than a batch behind, for a writer to wait on. */
  get pressure(): Promise<void> | undefined {
    if (!this.behind) return undefined
    return new Promise((resolve) => this.#wake.push(resolve))
  }

  /**
   * Stops the clock after a last commit. Rejects with StoreError when the engine refuses it once
   * more.
   */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#stopped = true
    await this.#tail
    await this.commit()
    await this.#tail
  }

  async #later(): Promise<void> {
    while (this.behind && this.#failure === undefined)
      await new Promise<void>((go) => this.#wake.push(go))
    // Whoever asks from here on wants changes that are not in this layer.
    this.#next = undefined
    return this.#handOver()
  }

  async #handOver(): Promise<void> {
    // Not awaited: a writer that asks must find at once that nothing is dirty.
    for (let wait = this.#collect(); wait !== undefined; wait = this.#collect()) await wait
    if (this.#overlay.size === 0) return this.#told
    const layer = this.#overlay.handOver()
    this.#waiting++
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    // Nobody may be waiting; a refusal is logged where it happens.
    promise.catch(() => {})
    this.#told = promise
    this.#refusals.add(reject)
    this.#tail = this.#write(layer, this.#tail, this.#options.prepare(layer), reject).then(resolve)
    this.#tail.catch(() => {})
    return promise
  }

  /** Returns what to wait for when a read must wait; what others change meanwhile comes along. */
  #collect(): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure
    startStep()
    try {
      this.#options.collect()
      return undefined
    } catch (error) {
      if (error instanceof Fault) return error.load()
      throw error
    }
  }

  async #write(
    layer: Layer,
    before: Promise<void>,
    prepared: Promise<Batch>,
    refused: (error: unknown) => void,
  ): Promise<void> {
    const [batch] = await Promise.all([prepared, before])
    for (;;) {
      try {
        await this.#overlay.store.commit(batch)
        break
      } catch (error) {
        if (this.#failure === undefined)
          log('error', 'a commit was refused; it is kept in memory and tried again', error)
        this.#failure = error as StoreError
        // Those of the layers behind it too, which cannot be written before it.
        for (const refuse of this.#refusals) refuse(error)
        this.#release()
        if (this.#stopped) throw error
        await new Promise((go) => setTimeout(go, RETRY_MS))
      }
    }
    if (this.#failure !== undefined) log('info', 'the refused commit is written now')
    this.#failure = undefined
    // Not while a newer layer is under way: who asks then waits for that one.
    if (this.#waiting === 1) this.#told = Promise.resolve()
    this.#refusals.delete(refused)
    this.commits++
    this.#overlay.settle()
    this.#waiting--
    this.#options.settled(layer)
    this.#release()
  }

  #release(): void {
    const waiting = this.#wake
    this.#wake = []
    for (const go of waiting) go()
  }
}
