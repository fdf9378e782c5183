// The time of day, as stat(2) tells it and as the vault counts it, and a clock that nobody sets.

import { readFileSync } from 'node:fs'

/**
 * Whole seconds since 1970 and nanoseconds. The object is reused: read it before the next call of
 * `wallTime`.
 */
interface WallTime {
  sec: number
  ns: number
}

/** What the host says of the time, in microseconds. */
export interface HostClock {
  /** Since 1970, a whole number; people, NTP and hypervisors set it. */
  wallMicros(): number
  /** Since some moment: never set, and stands while the host sleeps. */
  steadyMicros(): number
  /** How long the host has slept since some moment, as exact as the kernel tells: 10 ms. */
  sleptMicros(): number
}

let host: HostClock = {
  wallMicros: () => Date.now() * 1000,
  steadyMicros: () => performance.now() * 1000,
  sleptMicros() {
    try {
      // CLOCK_BOOTTIME, which counts what CLOCK_MONOTONIC, that of hrtime, leaves out.
      const uptimeSeconds = Number.parseFloat(readFileSync('/proc/uptime', 'latin1'))
      return Math.round(uptimeSeconds * 1e6 - Number(process.hrtime.bigint() / 1000n))
    } catch {
      return 0
    }
  },
}

/** The host's clock. */
export function hostClock(): HostClock {
  return host
}

/**
 * Replaces the host's clock, for the whole process; returns the one before. Clocks that jump are
 * tested with it.
 */
export function setHostClock(clock: HostClock): HostClock {
  const before = host
  host = clock
  return before
}

/**
 * Milliseconds since some moment, of a clock that nobody sets: for how long it is since something.
 */
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
 * Replaces the source of `wallTime`. The daemon passes the kernel's coarse clock, so that times
 * that the kernel sets (mtime of cached writes) and those that avfs sets never contradict the order
 * of events.
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
