// How the indexer shares the main thread: slices of two milliseconds, and while requests come thick
// and fast only a small share of the time, counting what its thread does too, so that writes on a
// machine with few processors keep theirs.

import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { stepNumber } from '../base/step.ts'
import { SLICE_MS } from '../base/turns.ts'
import { retryUntilLoaded } from '../store/retry.ts'
import { StoreError } from '../store/store.ts'
import type { Core } from '../vault/core/core.ts'
import {
  type Began,
  beginSlice,
  noteSlice,
  PAUSE_EVERY,
  type Slices,
} from '../vault/core/time-slices.ts'

/** Requests a millisecond above which the vault is busy. */
const BUSY_STEPS = 0.5
/** How long steps are counted before the rate is computed. */
const MEASURE_MS = 20
/** A program that waits for something else between two requests is still at it. */
const BUSY_MS = 400
/**
 * Beside requests: so many times as long as work took. The engine works on in threads of its own,
 * about as long again.
 */
const REST = 29
/** A rest is checked this often: somebody may be waiting by now, or the vault quiet. */
const NAP_MS = 50

export class Throttle implements Slices {
  readonly #core: Core
  readonly #isStopped: () => boolean
  #began: Began = beginSlice()
  #count = 0
  /** Steps of this work itself since the last measurement. */
  #own = 0
  #measuredAtMs = performance.now()
  #measuredAtStep = stepNumber()
  #busyUntilMs = 0
  /** What another thread did for this work and was not rested for yet. */
  #chargedMs = 0
  /** How many wait for the work. */
  urgent = 0

  constructor(core: Core, isStopped: () => boolean) {
    this.#core = core
    this.#isStopped = isStopped
  }

  /** Whether requests come thick and fast, and nobody waits for this work. */
  get isHeldUp(): boolean {
    this.#measure()
    return performance.now() < this.#busyUntilMs && this.urgent === 0
  }

  /** `retryUntilLoaded` for a step of this work. */
  async step<T>(work: () => T): Promise<T> {
    await this.turn()
    this.#own++
    return retryUntilLoaded(work)
  }

  /** Work begins, after nothing was done for a while. */
  begin(): void {
    this.#began = beginSlice()
  }

  /** Another thread worked so long. */
  charge(ms: number): void {
    this.#chargedMs += ms
  }

  turn(): Promise<void> | undefined {
    if (this.#isStopped()) throw new StoreError('closed', 'the index is being closed')
    const workedMs = performance.now() - this.#began.atMs
    if (workedMs < SLICE_MS && this.#chargedMs < SLICE_MS) return undefined
    return this.#rest(workedMs + this.#chargedMs)
  }

  /** Waits for something else, which is not work. */
  async waitFor<T>(others: Promise<T>): Promise<T> {
    noteSlice(this.#core, this.#began)
    try {
      return await others
    } finally {
      this.#began = beginSlice()
    }
  }

  changed(): void {}

  async settle(): Promise<void> {}

  async #rest(workedMs: number): Promise<void> {
    noteSlice(this.#core, this.#began)
    // What is charged from here on is rested for next time.
    this.#chargedMs = 0
    await (++this.#count % PAUSE_EVERY === 0 ? sleep(1) : setImmediate())
    const until = performance.now() + workedMs * REST
    while (this.isHeldUp && !this.#isStopped()) {
      const left = until - performance.now()
      if (left <= 0) break
      await sleep(Math.min(NAP_MS, left))
    }
    this.#began = beginSlice()
  }

  #measure(): void {
    const now = performance.now()
    const elapsedMs = now - this.#measuredAtMs
    if (elapsedMs < MEASURE_MS) return
    const steps = stepNumber() - this.#measuredAtStep - this.#own
    if (steps > elapsedMs * BUSY_STEPS) this.#busyUntilMs = now + BUSY_MS
    this.#measuredAtMs = now
    this.#measuredAtStep = stepNumber()
    this.#own = 0
  }
}
