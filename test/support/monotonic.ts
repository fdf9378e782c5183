// The clock by which processes of one test compare when something happened.

/** Microseconds of the machine's monotonic clock, the same for all its processes. */
export function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n)
}
