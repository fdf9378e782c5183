// The time of day, as in stat(2) and as the vault counts it, and a monotonic clock.

import { readFileSync } from 'node:fs'

/**
 * Whole seconds since 1970 and nanoseconds. The object is reused: read it before the next call of
 * `wallTime`.
 */
interface WallTime {
  sec: number
  ns: number
}

/** The host's clocks, in microseconds. */
export interface HostClock {
  /** Since 1970, a whole number; may be set by people, NTP and hypervisors. */
  wallMicros(): number
  /** Monotonic, from an arbitrary start; stands still while the host sleeps. */
  steadyMicros(): number
  /**
   * How long the host has slept since an arbitrary start, with the kernel's resolution of 10 ms.
   */
  sleptMicros(): number
}

let host: HostClock = {
  wallMicros: () => Date.now() * 1000,
  steadyMicros: () => performance.now() * 1000,
  sleptMicros() {
    try {
      // CLOCK_BOOTTIME, which includes sleep; CLOCK_MONOTONIC, which hrtime uses, does not.
      const uptimeSeconds = Number.parseFloat(readFileSync('/proc/uptime', 'latin1'))
      return Math.round(uptimeSeconds * 1e6 - Number(process.hrtime.bigint() / 1000n))
    } catch {
      return 0
    }
  },
}

export function hostClock(): HostClock {
  return host
}

/**
 * Replaces the host's clock for the whole process and returns the previous one. For tests of clocks
 * that jump.
 */
export function setHostClock(clock: HostClock): HostClock {
  const before = host
  host = clock
  return before
}

/** Monotonic milliseconds from an arbitrary start, for measuring intervals. */
export function steadyMs(): number {
  return host.steadyMicros() / 1000
}

const current: WallTime = { sec: 0, ns: 0 }

let read = (into: WallTime): void => {
  const micros = host.wallMicros()
  into.sec = Math.floor(micros / 1e6)
  into.ns = (micros - into.sec * 1e6) * 1000
}

/**
 * Replaces the source of `wallTime`. The daemon passes the kernel's coarse clock, so that times set
 * by the kernel (mtime of cached writes) and times set by avfs are in the order of events.
 */
export function setWallClock(source: (into: WallTime) => void): void {
  read = source
}

/** The time of day for atime, mtime, ctime. */
export function wallTime(): WallTime {
  read(current)
  return current
}

/** Microseconds since 1970, a whole number. */
export function nowMicros(): number {
  return host.wallMicros()
}
