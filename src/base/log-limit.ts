// How many lines a log takes: what a user can cause, a user can cause a million times, and a full
// disk would be everybody's. Each level has its own limit, so that many notes hide no error.

import type { LogLevel, LogSink } from './log.ts'

/** Lines of one level at once, and a second after that. */
export const LINES_AT_ONCE = 200
export const LINES_A_SECOND = 1
/** When it is told how many were left out, if no line comes before. */
const TELL_MS = 10_000

interface Bucket {
  left: number
  filledMs: number
  dropped: number
}

/**
 * The sink for as many lines as the limit lets through, and what says how many it did not. Traces
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
