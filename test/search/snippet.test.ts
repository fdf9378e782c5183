// Snippets of a text: lines with marks, written here as [word], and < > where a line is cut.

import t from 'tap'
import { parseQuery } from '../../src/search/query.ts'
import { type Fragment, snippets } from '../../src/search/snippet.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { randomText } from './random-text.ts'

const seed = seedOf('AVFS_SEED')
t.comment(`AVFS_SEED=${seed}`)

function shown(text: string, query: string, count = 3): string[] {
  return snippets(text, parseQuery(query), count).map(marked)
}

function marked({ line, text, marks, isCutBefore, isCutAfter }: Fragment): string {
  let from = 0
  let written = ''
  for (const [start, end] of marks) {
    written += `${text.slice(from, start)}[${text.slice(start, end)}]`
    from = end
  }
  return `${line} ${isCutBefore ? '<' : ''}${written}${text.slice(from)}${isCutAfter ? '>' : ''}`
}

t.test('lines show the words that were found, as they are written', async (t) => {
  const text = 'one foo\n  two bar foo\r\nfooBar here foo_bar\n\tfoobar\nfoo\nbar'
  t.strictSame(shown(text, 'two'), ['2 [two] bar foo'])
  t.strictSame(shown(text, 'foobar'), ['3 [fooBar] here [foo_bar]', '4 [foobar]'])
  t.strictSame(shown(text, 'fooB*', 2), ['3 [fooBar] here [foo_bar]', '4 [foobar]'])
  t.strictSame(shown(text, 'bar foo', 1), ['2 two [bar] [foo]'])
  t.strictSame(shown(text, '"bar foo"'), ['2 two [bar foo]'])
  t.strictSame(shown('caf\u00e9 cafe\u0301 CAFE', 'cafe'), ['1 [caf\u00e9] [cafe\u0301] [CAFE]'])
  t.strictSame(shown('\u65e5\u672c\u8a9e\u306e', '\u672c\u8a9e'), ['1 \u65e5[\u672c\u8a9e]\u306e'])
  t.strictSame(shown('\u65e5\u672c\u8a9e', '\u8a9e'), ['1 \u65e5\u672c[\u8a9e]'])
  t.strictSame(shown('x \u65e5\u672c\u8a9e', '\u672c'), ['1 x \u65e5[\u672c]\u8a9e'])
  t.strictSame(shown(text, 'absent'), [])
  t.strictSame(shown(text, 'foo', 0), [])
})

t.test('what is excluded, or of names alone, is not marked', async (t) => {
  t.strictSame(shown('a b c d', 'a NOT b name:c path:d'), ['1 [a] b c d'])
  t.strictSame(shown('a', 'name:a'), [])
})

t.test('the lines with most of the query come, and one for each word', async (t) => {
  const text = `${'a\n'.repeat(5)}b\nx\na b\n${'a\n'.repeat(5)}c`
  t.strictSame(shown(text, 'a b c', 1), ['8 [a] [b]'])
  t.strictSame(shown(text, 'a b c', 2), ['8 [a] [b]', '14 [c]'])
  t.strictSame(shown(text, 'a b c', 3), ['1 [a]', '8 [a] [b]', '14 [c]'])
  t.strictSame(shown(text, 'NEAR(a b, 1)', 1), ['8 [a] [b]'])
})

t.test('a phrase that goes over a line end is shown only where no line has it', async (t) => {
  t.strictSame(shown('a\nb\na b', '"a b"', 1), ['3 [a b]'])
  t.strictSame(shown('a\nb', '"a b"', 1), ['2 [b]'])
  t.strictSame(shown('a\n  \ufeff b', '"a b"', 1), ['2 [b]'], 'spaces are not marked')
})

t.test('a long line is cut around its marks', async (t) => {
  const text = `${'x '.repeat(300)}needle ${'y '.repeat(300)}`
  t.strictSame(shown(text, 'needle'), [`1 <${'x '.repeat(30)}[needle] ${'y '.repeat(66)}y>`])
  const far = shown(`needle ${'y '.repeat(300)} needle`, 'needle')
  t.strictSame(far, [`1 [needle] ${'y '.repeat(96)}y>`, `1 <${' y'.repeat(29)}  [needle]`])
  // Never within a character of two units.
  const [wide = ''] = shown(
    `${'\ud83d\ude00'.repeat(100)} needle!${'\ud83d\ude00'.repeat(200)}`,
    'needle',
  )
  t.ok(wide.isWellFormed() && !wide.includes('\ufffd'))
})

t.test('what would steer a terminal is replaced', async (t) => {
  t.strictSame(shown('\x1b[31ma\u202eb\x85 a\t\ud800', 'a'), [
    '1 \ufffd[31ma\ufffdb\ufffd [a] \ufffd',
  ])
})

t.test('marks lie within any text, in order, whatever the query', async (t) => {
  const random = randomFrom(seed)
  const wrong: string[] = []
  let fragments = 0
  for (let round = 0; round < 2000; round++) {
    const text = randomText(random, random.below(200))
    const query = random.pick(['foo*', 'x', '"foo bar"', 'NEAR(a x 42)', '\u65e5', 'e OR utf8*'])
    const found = snippets(text, parseQuery(query), 1 + random.below(3))
    fragments += found.length
    for (const { line, text: shown, marks } of found) {
      const flat = marks.flat()
      const isInOrder = flat.every((offset, index) => offset > (flat[index - 1] ?? -1))
      const isWithin = flat.every((offset) => offset >= 0 && offset <= shown.length)
      const original = (text.split('\n')[line - 1] ?? '')
        .replaceAll('\t', ' ')
        .replaceAll(/[\p{Cc}\p{Cs}]/gu, '\ufffd')
      const isThere = marks.every(([start, end]) => original.includes(shown.slice(start, end)))
      if (!isInOrder || !isWithin || !isThere || marks.length === 0 || shown.length > 200)
        wrong.push(`${query} in ${JSON.stringify(text)}: ${JSON.stringify(found)}`)
    }
  }
  t.strictSame(wrong.slice(0, 2), [])
  t.ok(fragments > 1000, `${fragments} fragments`)
})

t.test('one line of 8 MB costs no more than many', async (t) => {
  const query = parseQuery('foo "bar foo"')
  const took = (text: string): number => {
    const start = performance.now()
    t.equal(snippets(text, query, 3).length, 3)
    return performance.now() - start
  }
  const lines = took('foo bar \n'.repeat(1e6))
  const line = took('foo bar '.repeat(1e6))
  // A cost that grew with the square would be thousands of times as much.
  t.ok(line < 20 * lines + 1000, `${line} ms against ${lines} ms`)
})
