// Decides when changes become durable: after `intervalMs` at the latest, earlier when much is
// dirty, or at once when a caller waits. One batch is prepared while another is being written; all
// callers that ask meanwhile share the next one. A commit that the engine refuses stays in memory
// and is retried, and every waiting caller gets the error.
//
// With an intent log, small batches for which a caller waits are recorded there, one after the
// other, and the engine gets them later as one. Every batch has a sequence number, which the engine
// stores with it. A batch is recorded only when all before it are durable.

import { log } from '../base/log.ts'
import { startStep } from '../base/step.ts'
import { setting } from './collections.ts'
import type { IntentLog } from './intent-log/intent-log.ts'
import { keyOf } from './keys.ts'
import { Layer, type Overlay } from './overlay.ts'
import { type Batch, Fault, type StoreError } from './store.ts'

/** Delay before a refused commit is retried. */
const RETRY_MS = 1000
/** Batches between overlay and engine: one being prepared, one being written. */
const WAITING_MAX = 2
/** More changed rows than this are given to the engine at once rather than recorded. */
const RECORDED_ROWS_MAX = 1000

interface GroupCommitOptions {
  readonly intervalMs: number
  /**
   * Called just before changes are handed over: moves changes still buffered elsewhere into the
   * overlay.
   */
  readonly collect: () => void
  /** Completes a layer (hashes, compresses) and returns the batch to write. */
  readonly prepare: (layer: Layer) => Promise<Batch>
  /**
   * Called when the engine has made layers durable. The first of them contains the changes of the
   * others, too.
   */
  readonly settled: (layers: readonly Layer[]) => void
  readonly log?: IntentLog | undefined
}

/** A layer that was handed over. */
interface Entry {
  readonly sequence: number
  readonly layer: Layer
  readonly batch: Promise<Batch>
  /** In the log or the engine. */
  isDurable: boolean
}

export class GroupCommit {
  readonly #overlay: Overlay
  readonly #options: GroupCommitOptions
  #sequence = 0
  /** Layers that the engine is not given yet, oldest first. */
  #entries: Entry[] = []
  /** Layers that were handed over and are not durable yet. */
  #pending = 0
  /** Batches that the engine is given. */
  #waiting = 0
  #next: Promise<void> | undefined
  /** Resolves when the engine has committed the newest batch. */
  #tail: Promise<void> = Promise.resolve()
  /** The promise that callers get who wait for the newest batch. */
  #told: Promise<void> = Promise.resolve()
  /** Settles when the newest layer is durable, or the engine has refused it. */
  #safe: Promise<void> = Promise.resolve()
  #recording: Promise<void> | undefined
  #nextRecording: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #failure: StoreError | undefined
  /** Reject functions of the promises of all batches under way. */
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
    this.#timer = setInterval(() => this.#pulse(), this.#options.intervalMs)
    this.#timer.unref()
  }

  #pulse(): void {
    const { log } = this.#options
    if (this.#overlay.size > 0) log?.make()
    if (log?.isReady !== true || !this.#isSmall) this.nudge()
    // What is recorded before the engine gets it holds up no recording behind it.
    else
      this.durable()
        .then(() => this.#giveRecorded())
        .catch(() => {})
  }

  /** Starts a commit that nobody waits for. */
  nudge(): void {
    if (this.#next === undefined) this.commit().catch(() => {})
  }

  get #isSmall(): boolean {
    return this.#overlay.size <= RECORDED_ROWS_MAX
  }

  /**
   * Resolves when everything that was done before this call is durable, in the log or the engine.
   * Rejects with the engine's StoreError when it refuses; the changes are kept and retried.
   */
  durable(): Promise<void> {
    const { log } = this.#options
    log?.make()
    if (log?.isReady !== true) return this.commit()
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#nextRecording !== undefined) return this.#nextRecording
    const before = this.#recording
    if (before === undefined) return this.#startRecording(log)
    // Later callers may have changes that are not in the record that is being written.
    this.#nextRecording = before.then(() => {
      this.#nextRecording = undefined
      return this.#startRecording(log)
    })
    return this.#nextRecording
  }

  #startRecording(log: IntentLog): Promise<void> {
    const recording = this.#record(log)
    const end = (): void => {
      this.#recording = undefined
    }
    this.#recording = recording.then(end, end)
    return recording.then(({ safe }) => safe)
  }

  /** Resolves when the next record may be written; `safe`, when this one is durable. */
  async #record(log: IntentLog): Promise<{ readonly safe: Promise<void> }> {
    if (this.#pending > 0) await this.#safe.catch(() => {})
    if (!log.isReady || this.#pending > 0 || !this.#isSmall) return { safe: this.commit() }
    for (let wait = this.#collect(); wait !== undefined; wait = this.#collect()) await wait
    if (this.#overlay.size === 0) return { safe: this.#safe }
    const entry = this.#handOver()
    const recorded = this.#append(entry, log)
    this.#safe = recorded.then((isRecorded) => (isRecorded ? undefined : this.commit()))
    this.#safe.catch(() => {})
    await recorded
    return { safe: this.#safe }
  }

  async #append(entry: Entry, log: IntentLog): Promise<boolean> {
    const recorded = log.append(entry.sequence, await entry.batch)
    const isRecorded = recorded === true || (await recorded)
    if (isRecorded) this.#noteDurable(entry)
    if (isRecorded && log.isFilling) this.#giveRecorded()
    return isRecorded
  }

  #noteDurable(entry: Entry): void {
    if (!entry.isDurable) this.#pending--
    entry.isDurable = true
  }

  /** Gives the engine what is recorded, unless it is busy. */
  #giveRecorded(): void {
    if (!this.behind && this.#failure === undefined && this.#entries.length > 0) this.#give()
  }

  /**
   * Resolves when everything that was done before this call is durable in the engine. Rejects as
   * `durable` does.
   */
  commit(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#next !== undefined) return this.#next
    if (!this.behind) return this.#commitNow()
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
    await this.#recording
    await this.commit()
    await this.#tail
  }

  async #later(): Promise<void> {
    while (this.behind && this.#failure === undefined)
      await new Promise<void>((go) => this.#wake.push(go))
    // Later callers may have changes that are not in this layer: they need a new commit.
    this.#next = undefined
    return this.#commitNow()
  }

  async #commitNow(): Promise<void> {
    // No await unless a read must wait: a caller must learn in the same turn that nothing is dirty.
    for (let wait = this.#collect(); wait !== undefined; wait = this.#collect()) await wait
    if (this.#overlay.size > 0) this.#handOver()
    if (this.#entries.length === 0) return this.#told
    return this.#give()
  }

  /** Takes all changes out as a layer, and starts to complete it. */
  #handOver(): Entry {
    const sequence = ++this.#sequence
    const { log } = this.#options
    if (log !== undefined) this.#overlay.put(setting, log.row(sequence))
    const layer = this.#overlay.handOver()
    const entry = { sequence, layer, batch: this.#options.prepare(layer), isDurable: false }
    entry.batch.catch(() => {})
    if (this.#entries.length > 0) this.#overlay.join()
    this.#entries.push(entry)
    this.#pending++
    return entry
  }

  /** Gives the engine all layers that it was not given, as one batch. */
  #give(): Promise<void> {
    const entries = this.#entries
    this.#entries = []
    this.#waiting++
    this.#options.log?.handedOver()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    // Perhaps nobody waits for it; a refusal is logged where it happens.
    promise.catch(() => {})
    this.#told = promise
    if (this.#pending > 0) this.#safe = promise
    this.#refusals.add(reject)
    this.#tail = this.#write(entries, this.#tail, reject).then(resolve)
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
    entries: readonly Entry[],
    before: Promise<void>,
    refused: (error: unknown) => void,
  ): Promise<void> {
    const [batches] = await Promise.all([Promise.all(entries.map(({ batch }) => batch)), before])
    const batch = merged(batches)
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
    // While a newer batch is under way, #told is the promise of that one: leave it.
    if (this.#waiting === 1) this.#told = Promise.resolve()
    this.#refusals.delete(refused)
    this.commits++
    this.#overlay.settle()
    this.#waiting--
    for (const entry of entries) this.#noteDurable(entry)
    this.#options.log?.settled((entries.at(-1) as Entry).sequence)
    this.#options.settled(entries.map(({ layer }) => layer))
    this.#release()
  }

  #release(): void {
    const waiting = this.#wake
    this.#wake = []
    for (const go of waiting) go()
  }
}

/** Batches as one: of each row the newest state. */
function merged(batches: readonly Batch[]): Batch {
  if (batches.length === 1) return batches[0] as Batch
  const layer = new Layer()
  for (const { collection, puts, deletes } of batches.flat()) {
    for (const key of deletes) layer.set(collection, key, undefined)
    for (const row of puts) layer.set(collection, keyOf(collection, row), row)
  }
  return layer.batch()
}
