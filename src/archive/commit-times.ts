// When commits happened, as far as their dates can be believed: a history goes forward, and dates
// of other machines do not always. Knows no git.

/**
 * A time for each commit, none before the one before it, from the dates that they carry (seconds
 * since 1970; undefined: none). The most commits that can keep their date do, so that one clock
 * that was wrong once moves its own commits alone: those take the date of the commit before them,
 * or of the next where theirs is later. Nothing is in the future.
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
  // What has no date and nothing before it is as old as what comes after it.
  const first = times.find((time) => time !== Number.NEGATIVE_INFINITY) ?? now
  return times.map((time) => Math.max(time, first))
}

/**
 * The longest run of dates that go forward (patience sorting, from the end: of two that exclude
 * each other the earlier commit is believed).
 */
function keptDates(dates: readonly (number | undefined)[], now: number): Set<number> {
  /** By the length of a run: the commit that begins it, with the latest date. */
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
