// Words as readers of each script search for them: a text and the queries that must find it, in
// both engines.

import { join } from 'node:path'
import t, { type Test } from 'tap'
import { wordsOf } from '../../src/search/analyze.ts'
import type { SearchEngine } from '../../src/search/engine.ts'
import { matchesOf } from '../../src/search/evaluate.ts'
import { openFts5 } from '../../src/search/fts5.ts'
import { parseQuery } from '../../src/search/query.ts'
import { snippets } from '../../src/search/snippet.ts'
import { openTantivy } from '../../src/search/tantivy.ts'
import { openStore } from '../../src/store/open.ts'
import { batchOf } from './index-of.ts'

/** `finds` must find the text, `not` must not. */
interface Row {
  readonly text: string
  readonly finds: readonly string[]
  readonly not?: readonly string[]
}

const rows: readonly Row[] = [
  // Latin: letters with a stroke and of two letters, ligatures, accents, what is raised.
  { text: '\u0141\u00f3d\u017a', finds: ['lodz', '\u0142\u00f3d\u017a', 'LODZ'] },
  {
    text: 'sm\u00f8rrebr\u00f8d',
    finds: ['smorrebrod', 'SM\u00d8RREBR\u00d8D'],
    not: ['smoerrebroed'],
  },
  { text: '\u0110\u00e0 N\u1eb5ng', finds: ['"da nang"', '"\u0111\u00e0 n\u1eb5ng"'] },
  { text: 'c\u0153ur \u00c6on', finds: ['coeur', '"coeur aeon"', 'C\u0152UR'] },
  { text: '\ufb01nance \uff21\uff22\uff23', finds: ['finance', 'abc'] },
  { text: 'Acme\u2122 rocket', finds: ['acme', '"acme rocket"'], not: ['acmetm'] },
  { text: '5 \u338f', finds: ['kg', '"5 kg"'] },
  { text: '\u24b6\u24d1\u24d2 \u249c', finds: ['abc', 'a'] },
  // Arabic: stretched words, vowel points, digits of the East.
  { text: '\u0643\u0640\u0640\u062a\u0627\u0628', finds: ['\u0643\u062a\u0627\u0628'] },
  {
    text: '\u0643\u064e\u062a\u064e\u0628',
    finds: ['\u0643\u062a\u0628', '\u0643\u0640\u062a\u0628'],
  },
  {
    text: '\u0662\u0660\u0662\u0664',
    finds: ['2024', '\u06f2\u06f0\u06f2\u06f4', '\u0968\u0966\u0968\u096a'],
  },
  // Indic and Thai digits; vowel signs stay.
  { text: '\u0967\u0968', finds: ['12', '1*'], not: ['2'] },
  { text: '\u0e51\u0e52', finds: ['12'] },
  {
    text: '\u0939\u093f\u0902\u0926\u0940',
    finds: ['\u0939\u093f\u0902\u0926\u0940'],
    not: ['\u0939\u0926'],
  },
  // Han: radicals as some PDFs have them, words in a square, days in a square, letters in circles.
  { text: '\u2f47\u672c\u8a9e', finds: ['\u65e5\u672c', '\u672c\u8a9e', '\u65e5'] },
  {
    text: '\u65e5\u672c\u337f',
    finds: ['\u682a\u5f0f\u4f1a\u793e', '\u672c\u682a', '\u5f0f\u4f1a'],
  },
  { text: '\u33e0', finds: ['"1 \u65e5"', '1\u65e5'] },
  { text: '\u3231 \u3280', finds: ['\u682a', '\u4e00'] },
  { text: '\u3314', finds: ['\u30ad\u30ed'] },
  // Greek, Cyrillic, Hebrew, Hangul.
  {
    text: '\u039f\u0394\u039f\u03a3',
    finds: ['\u03bf\u03b4\u03bf\u03c2', '\u03bf\u03b4\u03cc\u03c2'],
  },
  { text: '\u0401\u043b\u043a\u0430', finds: ['\u0435\u043b\u043a\u0430'] },
  { text: '\u05e9\u05b8\u05dc\u05d5\u05b9\u05dd', finds: ['\u05e9\u05dc\u05d5\u05dd'] },
  { text: '\u1112\u1161\u11ab\u1100\u1173\u11af\uc740', finds: ['\ud55c\uae00'] },
  // Output of a terminal.
  {
    text: '\x1b[31mgiraffe\x1b[0m failed',
    finds: ['giraffe', '"giraffe failed"'],
    not: ['31m', '0m'],
  },
  { text: '\x1b[1;32mok\x1b[0m\x1b[33mzebra\x1b[0m', finds: ['ok', 'zebra', 'okzebra'] },
  { text: '\x1b]0;title\x07prompt', finds: ['prompt'], not: ['title', '0'] },
]

const files = rows.map(({ text }, index) => ({ path: `p${index}`, versions: [text] }))

async function check(t: Test, engine: SearchEngine): Promise<void> {
  await engine.apply(batchOf(files))
  for (const [index, { text, finds, not = [] }] of rows.entries()) {
    const isFound = (query: string): boolean =>
      [...matchesOf(parseQuery(`body:${query}`), engine, { pastToo: false })].some(
        ({ ino }) => ino === index + 1,
      )
    for (const query of finds) t.ok(isFound(query), `${query} finds ${JSON.stringify(text)}`)
    for (const query of not)
      t.notOk(isFound(query), `${query} does not find ${JSON.stringify(text)}`)
  }
  await engine.close()
}

t.test('FTS5 finds what a reader of each script looks for', async (t) => {
  const path = join(t.testdir(), 'index.db')
  const store = await openStore(path, { create: true, backend: 'sqlite' })
  if (store.auxiliary === undefined) throw new Error('SQLite takes no other tables')
  await check(t, openFts5(path, store.auxiliary.run))
  await store.close()
})

t.test('tantivy finds what a reader of each script looks for', async (t) => {
  await check(t, await openTantivy(join(t.testdir(), 'index'), { create: true }))
})

t.test('what is found is marked where it is', async (t) => {
  for (const { text, finds } of rows)
    for (const query of finds) {
      const [fragment] = snippets(text, parseQuery(query), 1)
      const marks = fragment?.marks ?? []
      t.ok(marks.length > 0, `${query} in ${JSON.stringify(text)}`)
      t.ok(
        marks.every(([start, end]) => wordsOf(fragment?.text.slice(start, end) ?? '').parts !== ''),
        `${query} marks words`,
      )
    }
})
