// Counts by number against a Map, with keys that are added, removed and added again.

import t from 'tap'
import { Counters } from '../../src/base/counters.ts'
import { randomFrom } from '../vault/plain-model.ts'

t.test('counts are those of a map, whatever comes and goes', async (t) => {
  const random = randomFrom(7)
  const counters = new Counters()
  const model = new Map<number, number>()
  for (let step = 0; step < 300_000; step++) {
    const key = random(8) === 0 ? 2 ** 52 + random(2000) * 2 ** 32 : 1 + random(20_000)
    const change = random(3) === 0 ? -random(5) : 1 + random(2)
    const count = Math.max(0, (model.get(key) ?? 0) + change)
    if (count === 0) model.delete(key)
    else model.set(key, count)
    if (counters.add(key, change) !== count) t.fail(`step ${step}: ${key}`)
  }
  t.equal(counters.size, model.size)
  let wrong = 0
  for (const [key, count] of model) if (counters.get(key) !== count) wrong++
  t.equal(wrong, 0)
  t.equal(counters.has(999_999), false)
})

t.test('a count that goes leaves its room to others', async (t) => {
  const counters = new Counters()
  for (let key = 1; key < 2_000_000; key++) {
    counters.add(key, 1)
    counters.add(key, -1)
  }
  t.equal(counters.size, 0)
  t.equal(counters.get(5), 0)
})
