// What a word is: tables of texts and their words, and properties that hold for any text.

import { isDeepStrictEqual } from 'node:util'
import t, { type Test } from 'tap'
import { runsOf, visitWords, wordsOf } from '../../src/search/analyze.ts'
import { classOf, foldString, MARK, SEPARATOR } from '../../src/search/fold.ts'
import { WORD_BYTES_MAX } from '../../src/search/word-buffer.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { randomText } from './random-text.ts'

const seed = seedOf('AVFS_SEED')
t.comment(`AVFS_SEED=${seed}`)

/** A text, its words, and the joined forms of its identifiers. */
type Row = readonly [text: string, parts: string, whole?: string]

function checkRows(t: Test, rows: readonly Row[]): void {
  for (const [text, parts, whole = ''] of rows)
    t.strictSame(wordsOf(text), { parts, whole }, JSON.stringify(text))
}

interface Visited {
  readonly words: { readonly word: string; readonly start: number; readonly end: number }[]
  readonly wholes: string[]
}

function visited(text: string): Visited {
  const found: Visited = { words: [], wholes: [] }
  visitWords(text, {
    word: (word, start, end) => found.words.push({ word, start, end }),
    run: (whole) => {
      if (whole !== undefined) found.wholes.push(whole)
    },
  })
  return found
}

t.test('words are letters and digits in lower case, and everything else separates', async (t) => {
  checkRows(t, [
    ['', ''],
    [' \n\t', ''],
    ['.-/', ''],
    ['Hello, World!', 'hello world'],
    ["don't", 'don t'],
    ['src/vault/when.ts', 'src vault when ts'],
    ['foo-bar.baz', 'foo bar baz'],
    ['a1 2b 3.14', 'a1 2b 3 14'],
    ['x\0y\x1b[31mz', 'x y z', 'yz'],
    ['\ud83d\ude00 ok', 'ok'],
  ])
})

t.test('identifiers give their parts and their joined form', async (t) => {
  checkRows(t, [
    ['fooBar', 'foo bar', 'foobar'],
    ['FooBar', 'foo bar', 'foobar'],
    ['foo_bar', 'foo bar', 'foobar'],
    ['FOO_BAR', 'foo bar', 'foobar'],
    ['HTTPServer', 'http server', 'httpserver'],
    ['HTTPServer2', 'http server2', 'httpserver2'],
    ['utf8Decode2', 'utf8 decode2', 'utf8decode2'],
    ['parseHTTP2Frame', 'parse http2 frame', 'parsehttp2frame'],
    ['sha256sum', 'sha256sum'],
    ['3D 2FA 4k', '3d 2fa 4k'],
    ['foo$bar', 'foo bar', 'foobar'],
    ['$foo __init__ _', 'foo init'],
    ['a__b', 'a b', 'ab'],
    ['ABC', 'abc'],
    ['gr\u00f6\u00dfeWert', 'grosse wert', 'grossewert'],
    [
      '\u0416\u0443\u043a\u0416\u0443\u043a',
      '\u0436\u0443\u043a \u0436\u0443\u043a',
      '\u0436\u0443\u043a\u0436\u0443\u043a',
    ],
    ['fooBar fooBar fooBar', 'foo bar foo bar foo bar', 'foobar'],
  ])
})

t.test('accents, case and ways of encoding do not count', async (t) => {
  checkRows(t, [
    ['caf\u00e9 CAF\u00c9 cafe\u0301', 'cafe cafe cafe'],
    ['Stra\u00dfe STRASSE STRA\u1e9eE', 'strasse strasse strasse'],
    [
      '\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2 \u03a3\u0399\u03a3\u03a5\u03a6\u039f\u03a3',
      '\u03c3\u03b9\u03c3\u03c5\u03c6\u03bf\u03c3 \u03c3\u03b9\u03c3\u03c5\u03c6\u03bf\u03c3',
    ],
    ['\u0130stanbul Istanbul \u0131stanbul', 'istanbul istanbul istanbul'],
    ['\ufb01n \uff26\uff29\uff2e \ud835\udc1f\ud835\udc22\ud835\udc27', 'fin fin fin'],
    ['m\u00b2 \u2167', 'm2 viii'],
    ['1\u00bd', '1'],
    ['\u0439 \u0438\u0306', '\u0438 \u0438'],
    ['\u05e9\u05b8\u05dc\u05d5\u05b9\u05dd', '\u05e9\u05dc\u05d5\u05dd'],
    ['soft\u00adware wor\u200dd \ufeffmark', 'software word mark'],
    ['zero\u200bwidth', 'zero width'],
    // Vowel signs of Indic scripts are no accents.
    ['\u0939\u093f\u0902\u0926\u0940', '\u0939\u093f\u0902\u0926\u0940'],
  ])
})

t.test(
  'sequences for the terminal are no words, and what they colour is found by part and whole',
  async (t) => {
    checkRows(t, [
      ['\x1b[31mgiraffe\x1b[0m failed', 'giraffe failed'],
      ['\x1b[1;32mok\x1b[0m\x1b[33mzebra\x1b[0m', 'ok zebra', 'okzebra'],
      ['foo\x1b[01;31mbar\x1b[m\x1b[Kbaz', 'foo bar baz', 'foobarbaz'],
      ['caf\u00e9\x1b[38;2;1;2;3mfoo', 'cafe foo', 'cafefoo'],
      ['\u65e5\x1b[31m\u672c\x1b[0m\u8a9e', '\u65e5\u672c \u672c\u8a9e \u8a9e'],
      ['\x1b]8;;http://hidden/\x1b\\link\x1b]8;;\x1b\\ end', 'link end'],
      ['\x1b]0;hidden\x07shown \x1b(Bplain', 'shown plain'],
      ['a\x1b[2Jb \x1b[10;5Hc', 'a b c'],
      ['x\u009b31my', 'x y', 'xy'],
      // What begins like one and is none hides nothing.
      ['a\x1b]not ended\nb \x1b', 'a not ended b'],
      ['e\x1b[', 'e'],
    ])
    t.strictSame(
      visited('\x1b[31mred\x1b[0mcar').words,
      [
        { word: 'red', start: 5, end: 8 },
        { word: 'car', start: 12, end: 15 },
      ],
      'where the letters are',
    )
  },
)

t.test('scripts without spaces give pairs of characters', async (t) => {
  checkRows(t, [
    ['\u65e5', '\u65e5'],
    ['\u65e5\u672c\u8a9e', '\u65e5\u672c \u672c\u8a9e \u8a9e'],
    ['\u65e5\u672c\u8a9eFoo', '\u65e5\u672c \u672c\u8a9e \u8a9e foo'],
    ['v\u65e5\u672c2', 'v \u65e5\u672c \u672c 2'],
    ['\u65e5\u672c\u3002\u8a9e', '\u65e5\u672c \u672c \u8a9e'],
    // Hangul stays in syllables, also when it comes in letters; voiced Kana stays voiced, also in
    // half width.
    ['\ud55c\uae00', '\ud55c\uae00 \uae00'],
    ['\u1112\u1161\u11ab\u1100\u1173\u11af', '\ud55c\uae00 \uae00'],
    ['\u304b\u3099\u304d', '\u304c\u304d \u304d'],
    ['\uff76\uff9e\uff77', '\u30ac\u30ad \u30ad'],
    ['\u0e20\u0e32\u0e29\u0e32', '\u0e20\u0e32 \u0e32\u0e29 \u0e29\u0e32 \u0e32'],
    ['\ud840\udc00\ud840\udc01', '\ud840\udc00\ud840\udc01 \ud840\udc01'],
  ])
})

t.test('a word is cut to 64 bytes at the end of a character', async (t) => {
  const cut = (text: string): string => wordsOf(text).parts
  t.equal(cut('a'.repeat(64)), 'a'.repeat(64))
  t.equal(cut('a'.repeat(1000)), 'a'.repeat(64))
  t.equal(cut('\u0436'.repeat(40)), '\u0436'.repeat(32))
  t.equal(cut(`x${'\u0436'.repeat(40)}`), `x${'\u0436'.repeat(31)}`, 'not within a character')
  t.equal(cut(`x${'\u0436'.repeat(40)}y`), `x${'\u0436'.repeat(31)}`, 'nothing is added behind')
  const long = `${'a'.repeat(40)}_${'b'.repeat(40)}`
  t.equal(wordsOf(long).whole, `${'a'.repeat(40)}${'b'.repeat(24)}`)
  const odd = `${'a'.repeat(63)}_\u0436\u0436`
  t.equal(wordsOf(odd).whole, 'a'.repeat(63), 'the joined form neither')
})

t.test('halves of surrogate pairs separate', async (t) => {
  checkRows(t, [
    ['\ud800', ''],
    ['a\udc00b', 'a b'],
    ['a\ud800', 'a'],
    ['\u65e5\ud800', '\u65e5'],
    ['\u00e9\udc00', 'e'],
  ])
})

t.test('the index and whoever wants offsets get the same words', async (t) => {
  const random = randomFrom(seed)
  const wrong: string[] = []
  for (let round = 0; round < 3000; round++) {
    const text = randomText(random, random.below(30))
    const { parts, whole } = wordsOf(text)
    const { words, wholes } = visited(text)
    const name = JSON.stringify(text)
    if (parts !== words.map(({ word }) => word).join(' ')) wrong.push(`words of ${name}`)
    const expected = whole === '' ? [] : whole.split(' ').sort()
    if ([...new Set(expected)].join() !== [...new Set(wholes)].sort().join())
      wrong.push(`joined forms of ${name}`)
    let before = { start: -1, end: 0 }
    for (const located of words) {
      const { word, start, end } = located
      if (start <= before.start || end < before.end || start >= end)
        wrong.push(`offsets in ${name}`)
      // What is between the offsets is the word, for a pair of characters with its second one
      // behind it.
      if (wordsOf(text.slice(start, end)).parts.split(' ')[0] !== word)
        wrong.push(`${word} is at other offsets in ${name}`)
      if (word === '' || Buffer.byteLength(word) > WORD_BYTES_MAX || !word.isWellFormed())
        wrong.push(`${JSON.stringify(word)} is no word, in ${name}`)
      before = located
    }
  }
  t.strictSame(wrong, [])
})

t.test('ASCII is cut as if it were not', async (t) => {
  const random = randomFrom(seed + 1)
  const wrong: string[] = []
  const pieces = ['foo', 'Bar', 'HTTP', 'x', 'A', '9', '42', '_', '$', ' ', '.', 'a'.repeat(70)]
  for (let round = 0; round < 3000; round++) {
    const text = Array.from({ length: random.below(12) }, () => random.pick(pieces)).join('')
    // A soft hyphen is not seen, but is no ASCII.
    const marked = text.replaceAll(/[\w$]+/g, '$&\u00ad')
    if (!isDeepStrictEqual(wordsOf(marked), wordsOf(text))) wrong.push(text)
  }
  t.strictSame(wrong, [])
})

t.test('composed and decomposed text has the same words', async (t) => {
  const random = randomFrom(seed + 2)
  const wrong: string[] = []
  for (let round = 0; round < 2000; round++) {
    const text = randomText(random, random.below(30))
    const [composed, decomposed] = [wordsOf(text.normalize('NFC')), wordsOf(text.normalize('NFD'))]
    if (composed.parts !== decomposed.parts) wrong.push(JSON.stringify(text))
  }
  t.strictSame(wrong, [])
})

t.test('every character of Unicode folds to what folds to itself, in either case', async (t) => {
  const unstable: string[] = []
  const unequal: string[] = []
  for (let codePoint = 0; codePoint < 0x110000; codePoint++) {
    const found = classOf(codePoint)
    if (found === SEPARATOR || found === MARK) continue
    const character = String.fromCodePoint(codePoint)
    const folded = foldString(character)
    const hex = codePoint.toString(16)
    if (foldString(folded) !== folded || folded.includes(' ')) unstable.push(hex)
    // Upper case writes the Greek iota below a vowel beside it; here it is an accent, which is
    // often left out.
    if (character.normalize('NFD').includes('\u0345')) continue
    for (const other of [character.toUpperCase(), character.toLowerCase()])
      if (foldString(other) !== folded) unequal.push(hex)
  }
  t.strictSame(unstable, [])
  t.strictSame(unequal, [])
})

t.test('runs tell a query what its words are', async (t) => {
  t.strictSame(runsOf('fooBar baz\u65e5\u672c'), [
    { words: ['foo', 'bar'], whole: 'foobar', isUnspaced: false },
    { words: ['baz'], whole: undefined, isUnspaced: false },
    { words: ['\u65e5\u672c', '\u672c'], whole: undefined, isUnspaced: true },
  ])
})

t.test('a million words, one long line and one endless word are cut', async (t) => {
  const million = wordsOf('fooBar a_b word '.repeat(250_000))
  t.equal(million.parts.length, 'foo bar a b word '.length * 250_000 - 1)
  t.equal(million.whole, 'foobar ab')
  t.equal(wordsOf('x'.repeat(8 << 20)).parts, 'x'.repeat(64))
  t.equal(wordsOf('\u65e5'.repeat(1 << 20)).parts.length, 3 * (1 << 20) - 2)
  t.equal(wordsOf('xY'.repeat(1 << 20)).whole, 'xy'.repeat(32))
  t.equal(wordsOf(`a${'\u0301'.repeat(1 << 20)}b`).parts, 'ab')
  t.equal(wordsOf('_'.repeat(1 << 20)).parts, '')
})
