// Words cut from bytes: the fast path for ASCII finds the same words as the general one.

import t, { type Test } from 'tap'
import { wordsOf } from '../../src/search/analyze.ts'
import { asciiWordsOf } from '../../src/search/ascii-words.ts'
import { bodyOf, wordsOfBytes } from '../../src/search/body.ts'
import { IDENTIFIER_LENGTH_MAX, IDENTIFIERS_MAX } from '../../src/search/word-buffer.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { randomText } from './random-text.ts'

const seed = seedOf('AVFS_SEED')
t.comment(`AVFS_SEED=${seed}`)

const pieces = [
  ...['foo', 'Bar', 'HTTP', 'x', 'A', '9', '42', '_', '$', '__', 'utf8', 'Decode', 'aB', '1A'],
  ...[' ', ' ', ' ', '\n', '\t', '.', '-', '::', '(', '"', '/', '\0', '\x7f'],
  ...['a'.repeat(70), 'B'.repeat(130), 'aAa'.repeat(40), 'c'.repeat(IDENTIFIER_LENGTH_MAX)],
]

function asciiText(random: Random, count: number): string {
  return Array.from({ length: count }, () => random.pick(pieces)).join('')
}

function same(t: Test, text: string): void {
  const [found, expected] = [asciiWordsOf(Buffer.from(text)), wordsOf(text)]
  if (found.parts !== expected.parts || found.whole !== expected.whole)
    t.strictSame(found, expected, JSON.stringify(text).slice(0, 1000))
}

t.test('the words of ASCII are the same, whichever way they are cut', async (t) => {
  const random = randomFrom(seed)
  for (let round = 0; round < 3000; round++) same(t, asciiText(random, random.below(60)))
  for (let code = 0; code < 128; code++)
    if (code !== 0x1b) same(t, `fooBar${String.fromCharCode(code)}bazQux2X fooBar`)
  t.pass('no text differed')
})

t.test('identifiers are remembered up to the same number', async (t) => {
  const all = Array.from({ length: IDENTIFIERS_MAX + 10 }, (_, at) => `id_${at}`)
  same(t, [...all, ...all.slice(0, 100), ...all.slice(-100)].join(' '))
  t.pass('none was told once more or less')
})

t.test('bytes of any text have the words of the text', async (t) => {
  const random = randomFrom(seed)
  for (let round = 0; round < 500; round++) {
    const text = Buffer.from(randomText(random, 1 + random.below(30)))
    t.strictSame(wordsOfBytes(text), wordsOf(text.toString()))
  }
  t.strictSame(wordsOfBytes(Buffer.from('x\x1b[31my')), wordsOf('x\x1b[31my'))
})

t.test('what is no text has no words, wherever in memory it lies', async (t) => {
  for (let offset = 0; offset < 5; offset++) {
    const at = (bytes: readonly number[]): Uint8Array => {
      const memory = new Uint8Array(offset + bytes.length)
      memory.set(bytes, offset)
      return memory.subarray(offset)
    }
    const letters = (count: number): number[] => Array.from({ length: count }, () => 0x61)
    t.equal(bodyOf(at([...letters(40), 0, ...letters(40)])), undefined, 'NUL')
    for (const control of [1, 0x1f, 0x7f]) {
      t.equal(bodyOf(at([...letters(20), control, ...letters(10)])), undefined, 'one in 31')
      t.ok(bodyOf(at([...letters(20), control, ...letters(11)])), 'one in 32')
      t.equal(bodyOf(at([control])), undefined, 'nothing else')
    }
    t.same(bodyOf(at([]))?.(), { parts: '', whole: '' })
    t.same(bodyOf(at([0x61, 9, 10, 0x42]))?.(), { parts: 'a b', whole: '' })
    t.equal(bodyOf(at([...letters(3), 0xff])), undefined, 'no UTF-8')
  }
})
