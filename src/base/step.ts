// Whether what runs now has changed anything yet. A step is what runs synchronously between two
// waits: a request, or a piece of background work. One that meets a read that must wait is run
// again from its start, and so must not have changed anything before: whoever throws Fault is told
// here.

/**
 * A part of a step that takes long: how far it may go now, and what it has found out in those
 * before.
 */
export interface Slice {
  /** On the clock of performance.now(). */
  untilMs: number
  /**
   * It has been asked whether it is over: what follows the first time is always done, so that each
   * slice gets on.
   */
  isBegun: boolean
  kept: Map<string, unknown> | undefined
}

let changed = false
let count = 0
let slice: Slice | undefined

/** A step begins: called by whoever runs it again when a read must wait. */
export function startStep(): void {
  changed = false
  count++
}

/** A number for the step that runs now. */
export function stepNumber(): number {
  return count
}

/** The step has changed something: a row, an inode in memory, a count. */
export function noteChange(): void {
  changed = true
}

/** True when running the step again would do something twice. */
export function hasChanged(): boolean {
  return changed
}

/**
 * Does a part of a step that stands by itself: if the step is run again, the part finds its work
 * done, so that it does not count as a change.
 */
export function idempotent<T>(work: () => T): T {
  const before = changed
  const result = work()
  changed = before
  return result
}

/**
 * What asks for work that is to be done once when the step that runs now is over, however often it
 * is asked for.
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
 * What runs from here on is in this slice, or (undefined) in none. Returns the one before, to be
 * entered again at the end.
 */
export function enterSlice(next: Slice | undefined): Slice | undefined {
  const before = slice
  slice = next
  return before
}

/** Begins a slice that may last so long, with what was kept of those before. */
export function renewSlice(its: Slice, lastsMs: number, kept: Slice['kept']): void {
  its.untilMs = performance.now() + lastsMs
  its.isBegun = false
  its.kept = kept
}

/**
 * Whether the step had better let others go on, asked before each part of it. Never outside of a
 * slice, nor once it has changed something.
 */
export function isSliceOver(): boolean {
  if (slice === undefined || changed) return false
  if (slice.isBegun) return performance.now() > slice.untilMs
  slice.isBegun = true
  return false
}

/**
 * What the step has kept under `key`, when it is run again; else what `make` returns. Outside of a
 * slice nothing is kept.
 */
export function keptByStep<T>(key: string, make: () => T): T {
  if (slice === undefined) return make()
  slice.kept ??= new Map()
  if (!slice.kept.has(key)) slice.kept.set(key, make())
  return slice.kept.get(key) as T
}
