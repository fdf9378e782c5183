// Derives times of commits from their dates, as far as these are plausible: history goes forward,
// but the clocks of different machines disagree. Knows no git.

/**
 * A time for each commit, never before that of the previous one, from the dates that they carry
 * (seconds since 1970; undefined: none). As many commits as possible keep their dates, so that one
 * wrong clock shifts only its own commits: those get the time of the commit before them, or of the
 * next one if theirs is later. No time is in the future.
 */
export function timesOfCommits(dates: readonly (number | undefined)[], now: number): number[] {
  const kept = keptDates(dates, now)
  const times: number[] = []
  let next = now
  for (let at = dates.length - 1; at >= 0; at--) {
    if (kept.has(at)) next = dates[at] as number
    times[at] = next
  }
  let before = Number.NEGATIVE_INFINITY
  dates.forEach((date, at) => {
    before = Math.max(before, Math.min(date ?? before, times[at] as number))
    times[at] = before
  })
  // Commits without a date at the beginning get the time of the first one after them.
  const first = times.find((time) => time !== Number.NEGATIVE_INFINITY) ?? now
  return times.map((time) => Math.max(time, first))
}

/**
 * The longest non-decreasing subsequence of dates (patience sorting, from the end: if two exclude
 * each other, the earlier commit is kept).
 */
function keptDates(dates: readonly (number | undefined)[], now: number): Set<number> {
  /** By length of the subsequence: the index of its first commit, the one with the latest date. */
  const begins: number[] = []
  const follows = new Map<number, number | undefined>()
  const dateOf = (at: number | undefined): number => dates[at as number] as number
  for (let at = dates.length - 1; at >= 0; at--) {
    const date = dates[at]
    if (date === undefined || date > now) continue
    let [low, high] = [0, begins.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (dateOf(begins[middle]) >= date) low = middle + 1
      else high = middle
    }
    follows.set(at, begins[low - 1])
    begins[low] = at
  }
  const kept = new Set<number>()
  for (let at = begins[begins.length - 1]; at !== undefined; at = follows.get(at)) kept.add(at)
  return kept
}
