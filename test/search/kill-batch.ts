// The batches of a process that is to be killed, and what an index contains after the last of them.

import type { Test } from 'tap'
import type { IndexBatch, SearchEngine } from '../../src/search/engine.ts'
import { batchOf, body, file, find, hashOf, text } from './plans.ts'

const TEXTS = 5
const ALL = 1_000_000

/**
 * Batch i, from 1 on: five texts and their versions, a file that it renames, and an end of what is
 * two batches old.
 */
export function killBatch(i: number): IndexBatch {
  const ids = idsOf(i)
  const name = { parts: `name n${i}`, whole: `name${i}` }
  const filler = Array.from({ length: 500 }, (_, n) => `w${(n * i) % 997}`).join(' ')
  return batchOf({
    texts: ids.map((id) => text(id, `all ${filler} b${i}`, `all${i}`)),
    files: [file(1, name, name)],
    versions: ids.map((id) => ({ ino: i, number: id, text: id })),
    removedTexts: idsOf(i - 2),
    removedVersions: idsOf(i - 2).map((id) => ({ ino: i - 2, number: id })),
    watermark: i,
  })
}

/** The index is as batch `last` left it. */
export function holdsBatches(t: Test, engine: SearchEngine): void {
  const { watermark: last, bytes: _, nextPiece: __, ...counts } = engine.status()
  const expected = last === 0 ? [] : last === 1 ? idsOf(1) : [...idsOf(last - 1), ...idsOf(last)]
  const { length } = expected
  const nextText = last * TEXTS + 1
  t.same(counts, { texts: length, files: Math.min(last, 1), versions: length, nextText })
  const found = (word: string) =>
    engine
      .query(body(word), ALL, 0)
      .map(({ id }) => id)
      .sort((a, b) => a - b)
  t.same(found('all'), expected, `batch ${last}`)
  t.same(found(`b${last}`), idsOf(last))
  t.same(found(`b${last - 2}`), [])
  t.same(engine.textsWith(expected.map(hashOf)), expected)
  t.same(
    expected.map((id) => engine.versionsOf(id).map(({ number }) => number)),
    expected.map((id) => [id]),
  )
  if (last > 0) t.equal(engine.query(find('name', `n${last}`), ALL, 0).length, 1)
  if (last > 1) t.same(engine.query(find('name', `n${last - 1}`), ALL, 0), [])
}

function idsOf(i: number): number[] {
  if (i < 1) return []
  return Array.from({ length: TEXTS }, (_, n) => (i - 1) * TEXTS + n + 1)
}
