// Which engine avfs bench recommends.

import t from 'tap'
import { advised, scores } from '../../src/cli/bench-advice.ts'
import type { Figures } from '../../src/cli/bench-work.ts'

const even: Figures = {
  createSmall: 100,
  fsync: 100,
  metadata: 100,
  writeLarge: 100,
  readSmall: 100,
  readLarge: 100,
  randomRead: 100,
}

t.test('the workload decides which figures count', (t) => {
  const figures = new Map<string, Figures>([
    ['writer', { ...even, createSmall: 200, fsync: 200 }],
    ['reader', { ...even, readSmall: 200, randomRead: 200 }],
    ['mover', { ...even, writeLarge: 190, readLarge: 190 }],
  ])
  t.equal(scores(figures, 'write-heavy')[0]?.backend, 'writer')
  t.equal(scores(figures, 'read-heavy')[0]?.backend, 'reader')
  t.equal(scores(figures, 'large')[0]?.backend, 'mover')
  const ranked = scores(figures, 'general')
  t.ok(ranked.every(({ score }) => score > 0.5 && score < 1))
  t.end()
})

t.test('an engine that is hardly faster than the one that is there is not advised', (t) => {
  const ranked = [
    { backend: 'fast', score: 0.9 },
    { backend: 'here', score: 0.85 },
    { backend: 'slow', score: 0.5 },
  ]
  t.equal(advised(ranked, 'here'), 'here')
  t.equal(advised(ranked, 'slow'), 'fast')
  t.equal(advised(ranked, 'absent'), 'fast')
  t.equal(advised([], 'here'), undefined)
  t.end()
})
