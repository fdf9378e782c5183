// Schedules long work in slices: one slice, then pending short requests, then the next slice. So a
// request waits for one slice at most, however many long operations run.

import { stepNumber } from './step.ts'

/** Long enough that resuming costs little, short enough to go unnoticed. */
export const SLICE_MS = 2
/** While there are other requests, long work gets one in this many parts of the time. */
const PARTS = 4

const waiting: (() => void)[] = []
let isDue = false
/**
 * The step in which the last slice began, and the time before which no other begins while there are
 * requests.
 */
let lastStep = 0
let nextMs = 0

/** Resolves when it is the caller's turn: in the order of calls, one per turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve)
    if (isDue) return
    isDue = true
    setImmediate(release)
  })
}

function release(): void {
  const now = performance.now()
  const othersAsk = stepNumber() > lastStep + 1
  if (othersAsk && now < nextMs) {
    setImmediate(release)
    return
  }
  lastStep = stepNumber()
  nextMs = now + SLICE_MS * PARTS
  waiting.shift()?.()
  isDue = waiting.length > 0
  if (isDue) setImmediate(release)
}
