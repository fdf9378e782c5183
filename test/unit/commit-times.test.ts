// Times of commits computed from the dates that they carry.

import t from 'tap'
import { timesOfCommits } from '../../src/archive/commit-times.ts'
import { randomFrom } from '../vault/plain-model.ts'

const NOW = 1000
const none = undefined

t.test('dates that go forward are kept, and others move as little as they can', async (t) => {
  const table: [dates: (number | undefined)[], times: number[]][] = [
    [[], []],
    [
      [1, 2, 2, 9],
      [1, 2, 2, 9],
    ],
    [
      [0, 500, 600],
      [0, 500, 600],
    ],
    // A clock that was ahead, one that was behind, one far off.
    [
      [100, 900, 200, 300],
      [100, 200, 200, 300],
    ],
    [
      [100, 200, 0, 300],
      [100, 200, 200, 300],
    ],
    [
      [100, 5000, 200],
      [100, 200, 200],
    ],
    [
      [5000, 6000],
      [NOW, NOW],
    ],
    [
      [100, 120, 110, 130],
      [100, 120, 120, 130],
    ],
    [
      [none, -5, none, 7, none],
      [-5, -5, -5, 7, 7],
    ],
    [
      [none, none],
      [NOW, NOW],
    ],
  ]
  for (const [dates, times] of table)
    t.same(timesOfCommits(dates, NOW), times, JSON.stringify(dates))
})

/** The length of the longest run of dates that go forward, in the slow way. */
function longestRun(dates: readonly (number | undefined)[]): number {
  const best = dates.map(() => 0)
  dates.forEach((date, at) => {
    if (date === undefined || date > NOW) return
    best[at] = 1
    for (let before = 0; before < at; before++)
      if ((best[before] as number) > 0 && (dates[before] as number) <= date)
        best[at] = Math.max(best[at] as number, (best[before] as number) + 1)
  })
  return Math.max(0, ...best)
}

t.test('any dates become times that go forward, and as many as can be are kept', async (t) => {
  const seed = Number(process.env.AVFS_TEST_SEED ?? Date.now() % 1e9)
  const random = randomFrom(seed)
  for (let round = 0; round < 500; round++) {
    const dates = Array.from({ length: random(20) }, () =>
      random(8) === 0 ? undefined : random(1200) - 100,
    )
    const times = timesOfCommits(dates, NOW)
    const isRight =
      times.length === dates.length &&
      times.every((time, at) => time <= NOW && time >= (times[at - 1] ?? time)) &&
      dates.filter((date, at) => date === times[at]).length >= longestRun(dates)
    if (!isRight) t.fail(`seed ${seed}: ${JSON.stringify(dates)} -> ${JSON.stringify(times)}`)
  }
  const many = Array.from({ length: 100_000 }, () => random(NOW))
  t.equal(timesOfCommits(many, NOW).length, many.length)
})
