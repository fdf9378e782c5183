// Limits the lines of a log: a user may cause a line a million times, and the log may fill a disk
// that everybody uses. Each level has its own limit, so that many notes do not suppress errors.

import type { LogLevel, LogSink } from './log.ts'

/** Lines of one level in a burst, and per second after that. */
export const LINES_AT_ONCE = 200
export const LINES_A_SECOND = 1
/** Delay after which the number of dropped lines is reported if no other line comes first. */
const TELL_MS = 10_000

interface Bucket {
  left: number
  filledMs: number
  dropped: number
}

/**
 * A sink that passes on as many lines as the limit allows, and reports how many it dropped. Traces
 * are not limited.
 */
export function limited(write: LogSink, nowMs = () => performance.now()): LogSink {
  const buckets = new Map<LogLevel, Bucket>()
  function bucketOf(level: LogLevel): Bucket {
    const known = buckets.get(level) ?? { left: LINES_AT_ONCE, filledMs: nowMs(), dropped: 0 }
    buckets.set(level, known)
    return known
  }
  function tell(level: LogLevel, bucket: Bucket): void {
    if (bucket.dropped === 0) return
    const what = `${bucket.dropped} more lines like these were left out`
    write(`${new Date().toISOString()} ${level} ${what}\n`, level)
    bucket.dropped = 0
  }
  return (line, level) => {
    if (level === 'trace') return write(line, level)
    const bucket = bucketOf(level)
    const now = nowMs()
    const more = ((now - bucket.filledMs) / 1000) * LINES_A_SECOND
    bucket.left = Math.min(LINES_AT_ONCE, bucket.left + more)
    bucket.filledMs = now
    if (bucket.left < 1) {
      if (bucket.dropped++ === 0) setTimeout(() => tell(level, bucket), TELL_MS).unref()
      return
    }
    bucket.left--
    tell(level, bucket)
    write(line, level)
  }
}
