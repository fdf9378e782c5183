// Whose turn it is when long work is done a slice at a time: one slice, then whoever asks for
// something short, then the next. So a request waits for one slice at most, however many do long
// work.

import { stepNumber } from './step.ts'

/** Long enough that coming back costs little, short enough that nobody notices. */
export const SLICE_MS = 2
/** While others ask, long work gets one part in so many of the time. */
const PARTS = 4

const waiting: (() => void)[] = []
let isDue = false
/** The step in which the last slice began, and when the next may while others ask. */
let lastStep = 0
let nextMs = 0

/** Resolves when it is the caller's turn: in the order of calls, one a turn of the event loop. */
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
