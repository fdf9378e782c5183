// Tracks whether the current step has changed anything yet. A step is what runs synchronously
// between two waits: a request, or a piece of background work. A step that meets a read that must
// wait runs again from its start, so it must not have changed anything before: Fault checks that
// here.

/** A time slice of a long step: how far it may go now, and what it has found in earlier slices. */
export interface Slice {
  /** On the clock of performance.now(). */
  untilMs: number
  /**
   * `isSliceOver` has been called: the first part is always done, so that each slice makes
   * progress.
   */
  isBegun: boolean
  kept: Map<string, unknown> | undefined
}

let changed = false
let count = 0
let slice: Slice | undefined

/** Begins a step; called by the code that runs the step again after a Fault. */
export function startStep(): void {
  changed = false
  count++
}

/** The number of the current step. */
export function stepNumber(): number {
  return count
}

/** Records that the step has changed something: a row, an inode in memory, a count. */
export function noteChange(): void {
  changed = true
}

/** True if running the step again would repeat a change. */
export function hasChanged(): boolean {
  return changed
}

/**
 * Does an idempotent part of a step: if the step runs again, that part finds its work done, so it
 * does not count as a change.
 */
export function idempotent<T>(work: () => T): T {
  const before = changed
  const result = work()
  changed = before
  return result
}

/**
 * Returns a function that schedules `work` to run once after the current step, however often it is
 * called in that step.
 */
export function afterStep(work: () => void): () => void {
  let isDue = false
  return () => {
    if (isDue) return
    isDue = true
    queueMicrotask(() => {
      isDue = false
      work()
    })
  }
}

/**
 * Sets the current slice; undefined for none. Returns the previous one, which the caller must enter
 * again at the end.
 */
export function enterSlice(next: Slice | undefined): Slice | undefined {
  const before = slice
  slice = next
  return before
}

/** Starts a slice of `lastsMs`, with what earlier ones have kept. */
export function renewSlice(its: Slice, lastsMs: number, kept: Slice['kept']): void {
  its.untilMs = performance.now() + lastsMs
  its.isBegun = false
  its.kept = kept
}

/**
 * Whether the step should yield; call it before each part of the work. Never true outside of a
 * slice, or once the step has changed something.
 */
export function isSliceOver(): boolean {
  if (slice === undefined || changed) return false
  if (slice.isBegun) return performance.now() > slice.untilMs
  slice.isBegun = true
  return false
}

/**
 * What an earlier run of the step has kept under `key`, else the result of `make`, which is kept.
 * Outside of a slice nothing is kept.
 */
export function keptByStep<T>(key: string, make: () => T): T {
  if (slice === undefined) return make()
  slice.kept ??= new Map()
  if (!slice.kept.has(key)) slice.kept.set(key, make())
  return slice.kept.get(key) as T
}
