// Whether something that is measured repeatedly grows without end, or only goes up and down.

/** Fewer say nothing. */
const SAMPLES_MIN = 12

/**
 * From what to what the samples grew, or undefined. Compared are the lowest of the second quarter,
 * when all caches are full, and of the last: growth is more than `slack` and a quarter.
 */
export function growthOf(
  samples: readonly number[],
  slack: number,
): { readonly from: number; readonly to: number } | undefined {
  if (samples.length < SAMPLES_MIN) return undefined
  const quarter = Math.floor(samples.length / 4)
  const from = Math.min(...samples.slice(quarter, 2 * quarter))
  const to = Math.min(...samples.slice(-quarter))
  return to - from > Math.max(slack, from / 4) ? { from, to } : undefined
}
