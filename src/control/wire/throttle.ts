// Limits progress reports to a rate that a terminal and a socket can handle.

import type { Report } from './protocol.ts'

const PROGRESS_INTERVAL_MS = 100

/** Calls `report` at most once every 100 ms; reports in between are dropped. */
export function throttled(report: Report): Report {
  let next = 0
  return (done, total) => {
    const now = performance.now()
    if (now < next) return
    next = now + PROGRESS_INTERVAL_MS
    report(done, total)
  }
}
