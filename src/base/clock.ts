// The time of day, as stat(2) tells it and as the vault counts it.

/** Whole seconds since 1970 and nanoseconds. The object is reused: read it before the next call of `wallTime`. */
export interface WallTime {
  sec: number
  ns: number
}

const current: WallTime = { sec: 0, ns: 0 }

let read = (into: WallTime): void => {
  const ms = Date.now()
  into.sec = Math.floor(ms / 1000)
  into.ns = (ms - into.sec * 1000) * 1e6
}

/**
 * Replaces the source of `wallTime`. The daemon passes the kernel's coarse clock, so that times that the kernel
 * sets (mtime of cached writes) and those that avfs sets never contradict the order of events.
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
  return Date.now() * 1000
}
