// The reference index against FTS5 itself: both must find the same texts for phrases, prefixes and
// NEAR.

import Database from 'better-sqlite3'
import t from 'tap'
import type { Phrase, Plan } from '../../src/search/engine.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { openMemoryEngine } from './memory-engine.ts'

const seed = seedOf('AVFS_SEED')
t.comment(`AVFS_SEED=${seed}`)
const words = ['a', 'b', 'ab', 'abc', 'c']

t.test('random plans find what FTS5 finds', async (t) => {
  const random = randomFrom(seed)
  const database = new Database(':memory:')
  t.teardown(() => database.close())
  database.exec('CREATE VIRTUAL TABLE text USING fts5(body, tokenize = ascii)')
  const engine = openMemoryEngine()
  const texts = Array.from({ length: 300 }, (_, index) => {
    const parts = Array.from({ length: random.below(12) }, () => random.pick(words)).join(' ')
    return { id: index + 1, hash: Buffer.alloc(32, index), body: { parts, whole: '' } }
  })
  const nothing = {
    files: [],
    versions: [],
    pieces: [],
    stretches: [],
    removedTexts: [],
    removedFiles: [],
    removedVersions: [],
  }
  await engine.apply({ ...nothing, texts, watermark: 1 })
  const insert = database.prepare('INSERT INTO text(rowid, body) VALUES (?, ?)')
  for (const { id, body } of texts) insert.run(id, body.parts)
  const select = database
    .prepare('SELECT rowid FROM text WHERE text MATCH ? ORDER BY rowid')
    .pluck()
  const wrong: string[] = []
  let hits = 0
  for (let round = 0; round < 1000; round++) {
    const plan = randomPlan(random, 2)
    const match = matchOf(plan)
    const expected = select.all(match) as number[]
    const found = engine.query(plan, texts.length, 0).map(({ id }) => id)
    hits += found.length
    if (found.sort((a, b) => a - b).join() !== expected.join()) wrong.push(match)
  }
  t.strictSame(wrong.slice(0, 3), [])
  t.ok(hits > 1000, `${hits} hits`)
})

function randomPlan(random: Random, depth: number): Plan {
  const kind = random.below(depth === 0 ? 2 : 5)
  if (kind === 0) return { kind: 'phrase', field: 'body', ...randomPhrase(random) }
  if (kind === 1) {
    const phrases = Array.from({ length: 2 + random.below(2) }, () => randomPhrase(random))
    return { kind: 'near', field: 'body', phrases, distance: random.below(4) }
  }
  const [one, other] = [randomPlan(random, depth - 1), randomPlan(random, depth - 1)]
  if (kind === 2) return { kind: 'not', include: one, exclude: other }
  return { kind: kind === 3 ? 'and' : 'or', of: [one, other] }
}

function randomPhrase(random: Random): Phrase {
  const some = Array.from({ length: 1 + random.below(3) }, () => random.pick(words))
  return { words: some, prefix: random.below(3) === 0 }
}

function matchOf(plan: Plan): string {
  switch (plan.kind) {
    case 'phrase':
      return phraseIn(plan)
    case 'near':
      return `NEAR(${plan.phrases.map(phraseIn).join(' ')}, ${plan.distance})`
    case 'not':
      return `(${matchOf(plan.include)} NOT ${matchOf(plan.exclude)})`
    default:
      return `(${plan.of.map(matchOf).join(` ${plan.kind.toUpperCase()} `)})`
  }
}

function phraseIn({ words, prefix }: Phrase): string {
  return `"${words.join(' ')}"${prefix ? '*' : ''}`
}
