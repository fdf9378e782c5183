// Decides when changes become durable: after `intervalMs` at the latest, earlier when much is
// dirty, or at once when a caller waits. One batch is prepared while another is being written; all
// callers that ask meanwhile share the next one. A commit that the engine refuses stays in memory
// and is retried, and every waiting caller gets the error.

import { log } from '../base/log.ts'
import { startStep } from '../base/step.ts'
import type { Layer, Overlay } from './overlay.ts'
import { type Batch, Fault, type StoreError } from './store.ts'

/** Delay before a refused commit is retried. */
const RETRY_MS = 1000
/** Batches between overlay and engine: one being prepared, one being written. */
const WAITING_MAX = 2

interface GroupCommitOptions {
  readonly intervalMs: number
  /**
   * Called just before changes are handed over: moves changes still buffered elsewhere into the
   * overlay.
   */
  readonly collect: () => void
  /** Completes a layer (hashes, compresses) and returns the batch to write. */
  readonly prepare: (layer: Layer) => Promise<Batch>
  /** Called when a layer has become durable. */
  readonly settled: (layer: Layer) => void
}

export class GroupCommit {
  readonly #overlay: Overlay
  readonly #options: GroupCommitOptions
  #waiting = 0
  #next: Promise<void> | undefined
  /** Resolves when the engine has committed the newest layer. */
  #tail: Promise<void> = Promise.resolve()
  /** The promise that callers get who wait for the newest layer. */
  #told: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #failure: StoreError | undefined
  /** Reject functions of the promises of all layers under way. */
  readonly #refusals = new Set<(error: unknown) => void>()
  #wake: (() => void)[] = []
  #stopped = false
  commits = 0

  constructor(overlay: Overlay, options: GroupCommitOptions) {
    this.#overlay = overlay
    this.#options = options
  }

  /** Why the engine refused the last commit; undefined once it is written. */
  get failure(): StoreError | undefined {
    return this.#failure
  }

  /**
   * Starts the timer: changes made from now on are durable within `intervalMs` plus the time of one
   * commit.
   */
  start(): void {
    this.#timer = setInterval(() => this.nudge(), this.#options.intervalMs)
    this.#timer.unref()
  }

  /** Starts a commit that nobody waits for. */
  nudge(): void {
    if (this.#next === undefined) this.commit().catch(() => {})
  }

  /**
   * Resolves when everything that was done before this call is durable. Rejects with the engine's
   * StoreError when it refuses; the changes are kept and retried.
   */
  commit(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#next !== undefined) return this.#next
    if (!this.behind) return this.#handOver()
    this.#next = this.#later()
    return this.#next
  }

  /** True while the engine is more than one batch behind. */
  get behind(): boolean {
    return this.#waiting >= WAITING_MAX
  }

  /** For backpressure: a promise while the engine is more than one batch behind, else undefined. */
  get pressure(): Promise<void> | undefined {
    if (!this.behind) return undefined
    return new Promise((resolve) => this.#wake.push(resolve))
  }

  /**
   * Stops the timer after a last commit. Rejects with StoreError when the engine refuses that one.
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
    // Later callers may have changes that are not in this layer: they need a new commit.
    this.#next = undefined
    return this.#handOver()
  }

  async #handOver(): Promise<void> {
    // No await unless a read must wait: a caller must learn in the same turn that nothing is dirty.
    for (let wait = this.#collect(); wait !== undefined; wait = this.#collect()) await wait
    if (this.#overlay.size === 0) return this.#told
    const layer = this.#overlay.handOver()
    this.#waiting++
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    // Perhaps nobody waits for it; a refusal is logged where it happens.
    promise.catch(() => {})
    this.#told = promise
    this.#refusals.add(reject)
    this.#tail = this.#write(layer, this.#tail, this.#options.prepare(layer), reject).then(resolve)
    this.#tail.catch(() => {})
    return promise
  }

  /**
   * Returns a promise when a read must wait. Changes made during that wait become part of the
   * layer.
   */
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
        // Layers behind this one are refused too, since they cannot be written before it.
        for (const refuse of this.#refusals) refuse(error)
        this.#release()
        if (this.#stopped) throw error
        await new Promise((go) => setTimeout(go, RETRY_MS))
      }
    }
    if (this.#failure !== undefined) log('info', 'the refused commit is written now')
    this.#failure = undefined
    // While a newer layer is under way, #told is the promise of that one: leave it.
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
