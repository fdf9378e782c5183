// A host's clock for tests of time: it runs like the real one, and can be set. It applies to the
// whole process.

import { type HostClock, setHostClock } from '../../src/base/clock.ts'

export class TestClock implements HostClock {
  /** How far the clock that people see is set from where it was, in microseconds. */
  setMicros = 0
  #passedMicros = 0
  #sleptMicros = 0

  /** Time passes, for all clocks. */
  pass(ms: number): void {
    this.#passedMicros += ms * 1000
  }

  /** The host sleeps: time passes, and the clock that nobody sets stands. */
  sleep(ms: number): void {
    this.#sleptMicros += ms * 1000
  }

  /** Somebody sets the clock. */
  set(byMs: number): void {
    this.setMicros += byMs * 1000
  }

  wallMicros(): number {
    return Date.now() * 1000 + this.#passedMicros + this.#sleptMicros + this.setMicros
  }

  steadyMicros(): number {
    return performance.now() * 1000 + this.#passedMicros
  }

  sleptMicros(): number {
    return this.#sleptMicros
  }
}

/** Makes a test's clock that of the process. */
export function testClock(): TestClock {
  const clock = new TestClock()
  setHostClock(clock)
  return clock
}
