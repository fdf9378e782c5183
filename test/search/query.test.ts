// The query language: what each form means, and the messages for invalid queries.

import t from 'tap'
import type { Query, Term } from '../../src/search/query.ts'
import { parseQuery } from '../../src/search/query.ts'
import { QuerySyntaxError } from '../../src/search/tokens.ts'
import { randomFrom, seedOf } from '../support/random.ts'

const seed = seedOf('AVFS_SEED')
t.comment(`AVFS_SEED=${seed}`)

/**
 * A tree in a form that shows its structure: (a AND b), (a NOT b), a name:b, "a b"*, NEAR/5(a b).
 */
function shown(query: Query): string {
  switch (query.kind) {
    case 'phrase':
      return fieldOf(query.field) + termOf(query.term)
    case 'near':
      return `${fieldOf(query.field)}NEAR/${query.distance}(${query.terms.map(termOf).join(' ')})`
    case 'and':
    case 'or':
      return `(${query.of.map(shown).join(` ${query.kind.toUpperCase()} `)})`
    case 'not':
      return `(${shown(query.include)} NOT ${shown(query.exclude)})`
  }
}

function fieldOf(field: string | undefined): string {
  return field === undefined ? '' : `${field}:`
}

function termOf({ runs, prefix }: Term): string {
  const words = runs.flatMap((run) => run.words)
  return (words.length > 1 ? `"${words.join(' ')}"` : words.join('')) + (prefix ? '*' : '')
}

t.test('what a query means', async (t) => {
  const rows: readonly (readonly [query: string, tree: string])[] = [
    ['a', 'a'],
    ['  A\t\n', 'a'],
    ['a b c', '(a AND b AND c)'],
    ['a AND b', '(a AND b)'],
    ['a OR b', '(a OR b)'],
    ['a and b', '(a AND and AND b)'],
    ['a "AND" b', '(a AND and AND b)'],
    // NOT binds more than AND, AND more than OR; side by side is AND.
    ['a OR b AND c', '(a OR (b AND c))'],
    ['a b OR c d', '((a AND b) OR (c AND d))'],
    ['a NOT b', '(a NOT b)'],
    ['a AND NOT b', '(a NOT b)'],
    ['NOT b a', '(a NOT b)'],
    ['a NOT b c', '((a AND c) NOT b)'],
    ['a NOT b NOT c', '(a NOT (b OR c))'],
    ['a OR b NOT c', '(a OR (b NOT c))'],
    ['a NOT (b OR c)', '(a NOT (b OR c))'],
    ['(a OR b) c', '((a OR b) AND c)'],
    ['((a))', 'a'],
    ['a(b)', '(a AND b)'],
    ['"a b" c', '("a b" AND c)'],
    ['"a"b', '(a AND b)'],
    ['"a ""b"" c"', '"a b c"'],
    ['fooBar', '"foo bar"'],
    ['foo.bar/baz-1', '"foo bar baz 1"'],
    ["don't", '"don t"'],
    ['-a --b +c', '(a AND b AND c)'],
    ['a*', 'a*'],
    ['"a b"*', '"a b"*'],
    ['"a*b"', '"a b"'],
    ['(a*)', 'a*'],
    ['AND*', 'and*'],
    ['name:a', 'name:a'],
    ['name: a', 'name:a'],
    ['path:"a b" c', '(path:"a b" AND c)'],
    ['body:(a OR b) c', '((body:a OR body:b) AND c)'],
    ['NOT name:a b', '(b NOT name:a)'],
    ['NEAR(a b)', 'NEAR/10(a b)'],
    ['NEAR(a "b c" d*, 5)', 'NEAR/5(a "b c" d*)'],
    ['NEAR( a,0 )', 'NEAR/0(a)'],
    ['body:NEAR(a b) c', '(body:NEAR/10(a b) AND c)'],
    ['NEAR a', '(near AND a)'],
    ['near(a)', '(near AND a)'],
    // Punctuation beside words is left out.
    ['a & b', '(a AND b)'],
    ['a AND & b', '(a AND b)'],
    ['NEAR(a & b)', 'NEAR/10(a b)'],
    ['caf\u00e9', 'cafe'],
    ['a\u00a0b', '(a AND b)'],
  ]
  for (const [query, tree] of rows) t.equal(shown(parseQuery(query)), tree, query)
})

t.test('what is wrong with a query, and where', async (t) => {
  const rows: readonly (readonly [query: string, message: string])[] = [
    ['', 'the query is empty at character 1'],
    [' \n ', 'the query is empty at character 1'],
    ['foo "bar', 'unclosed quote at character 5'],
    ['\ud83d\ude00 "bar', 'unclosed quote at character 3'],
    ['(a', 'unclosed parenthesis at character 1'],
    ['(', 'unclosed parenthesis at character 1'],
    ['a (OR b)', 'nothing before OR at character 4'],
    ['"a""b', 'unclosed quote at character 1'],
    [`a "${'b '.repeat(65)}"`, 'a phrase of more than 64 words at character 3: shorten it'],
    ['a)', 'a closing parenthesis too many at character 2'],
    ['()', 'nothing within the parentheses at character 1: they group words'],
    ['main()', 'nothing within the parentheses at character 5: they group words'],
    [')', 'nothing before ) at character 1'],
    ['NOT a', 'NOT alone finds nothing at character 1: say what to find, as in: this NOT that'],
    ['a OR NOT b', 'NOT alone finds nothing at character 6'],
    ['(NOT a) b', 'NOT alone finds nothing at character 2'],
    ['a AND', 'nothing after AND at character 3'],
    ['a OR OR b', 'nothing after OR at character 3'],
    ['NOT', 'nothing after NOT at character 1'],
    ['NOT NOT a', 'nothing after NOT at character 1'],
    ['AND a', 'nothing before AND at character 1'],
    ['OR', 'nothing before OR at character 1'],
    ['& |', 'nothing to look for (no letter and no digit) at character 1'],
    ['a OR &', 'nothing to look for (no letter and no digit) at character 6'],
    ['a NOT &', 'nothing to look for (no letter and no digit) at character 7'],
    ['""', 'nothing to look for (no letter and no digit) at character 1'],
    ['name:&', 'nothing to look for (no letter and no digit) at character 6'],
    ['*', "'*' belongs at the end of a word at character 1"],
    ['*a', "'*' belongs at the end of a word at character 1"],
    ['a *', "'*' belongs at the end of a word at character 3"],
    ['a*b', "'*' belongs at the end of a word at character 2"],
    ['a**', "'*' belongs at the end of a word at character 2"],
    ['name:', 'nothing after name: at character 1'],
    ['name:)', 'nothing after name: at character 1'],
    ['name:path:a', 'path: right after name: at character 6'],
    ['name:(path:a)', 'path: within the parentheses of name: at character 7'],
    [
      'Name:a',
      'no field \'Name\' at character 1: fields are name, path and body; for the text itself write "Name:a"',
    ],
    [
      'see http://x/y',
      'no field \'http\' at character 5: fields are name, path and body; for the text itself write "http://x/y"',
    ],
    ['12:30', "no field '12' at character 1"],
    ['std::string', "no field 'std' at character 1"],
    [':a', 'no field at character 1'],
    ['"name":a', 'no field at character 7'],
    ['NEAR()', 'nothing within NEAR at character 1: write NEAR(this that, 5)'],
    ['NEAR(&)', 'nothing within NEAR at character 1'],
    ['NEAR(a', 'unclosed parenthesis of NEAR at character 1'],
    ['NEAR(', 'unclosed parenthesis of NEAR at character 1'],
    ['NEAR(a, b)', "NEAR's distance is a number from 0 to 10000 at character 7"],
    ['NEAR(a,)', "NEAR's distance is a number from 0 to 10000 at character 7"],
    ['NEAR(a, 10001)', "NEAR's distance is a number from 0 to 10000 at character 7"],
    ['NEAR(a, 5 b)', 'NEAR takes words and phrases only at character 11'],
    ['NEAR(a AND b)', 'NEAR takes words and phrases only at character 8'],
    ['NEAR(name:a)', 'NEAR takes words and phrases only at character 6'],
  ]
  for (const [query, message] of rows) {
    const error = errorOf(query)
    t.ok(error?.message.startsWith(message), `${query} -> ${error?.message}`)
    t.match(error?.message, new RegExp(`at character ${(error?.position ?? -2) + 1}\\b`))
  }
})

t.test('a query has limits', async (t) => {
  t.match(errorOf('x'.repeat(5000))?.message, /^the query is too long at character 4097/)
  t.equal(shown(parseQuery('x'.repeat(4096))), 'x'.repeat(64))
  t.match(errorOf('('.repeat(10_000)), { message: /too long/ })
  t.match(errorOf(`${'('.repeat(2000)}a${')'.repeat(2000)}`), { message: /more than 50 deep/ })
  t.equal(shown(parseQuery(`${'('.repeat(50)}a${')'.repeat(50)}`)), 'a')
  t.match(errorOf('a '.repeat(129)), { message: /more than 128 words and phrases/, position: 256 })
  t.match(errorOf(`NEAR(${'a '.repeat(129)})`), { message: /more than 128 words and phrases/ })
  t.ok(parseQuery('a '.repeat(128)))
  t.ok(parseQuery(`"${'a '.repeat(64)}"`))
})

t.test('any text is a query or has an error within it', async (t) => {
  const random = randomFrom(seed)
  const pieces = [
    ...['a', 'B1', 'AND', 'OR', 'NOT', 'NEAR(', 'name:', 'x:', ',', '5', '&', '\u65e5\u672c', '\0'],
    ...['(', ')', '"', '*', ':', ' ', ' ', ' ', '\n', '\ud800', '\u00e9', '\ud83d\ude00'],
  ]
  let queries = 0
  for (let round = 0; round < 20_000; round++) {
    const text = Array.from({ length: random.below(12) }, () => random.pick(pieces)).join('')
    const error = errorOf(text)
    if (error === undefined) queries++
    else if (error.position < 0 || error.position > [...text].length)
      t.fail(`position ${error.position} in ${JSON.stringify(text)}`)
  }
  t.ok(queries > 100, `${queries} were queries`)
})

function errorOf(query: string): QuerySyntaxError | undefined {
  try {
    parseQuery(query)
    return undefined
  } catch (error) {
    if (error instanceof QuerySyntaxError) return error
    throw error
  }
}
