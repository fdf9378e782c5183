// The plans that an engine gets for a word, a phrase and a whole query.

import t from 'tap'
import type { Plan } from '../../src/search/engine.ts'
import { bodyPlan, filePlan, textPlan } from '../../src/search/plan.ts'
import { type Leaf, parseQuery } from '../../src/search/query.ts'

/** A plan in short: field="words"*, joined by | and &, a - for what is excluded. */
function short(plan: Plan | boolean | undefined): string {
  if (typeof plan !== 'object') return String(plan)
  switch (plan.kind) {
    case 'phrase':
      return `${plan.field}=${plan.words.join('+')}${plan.prefix ? '*' : ''}`
    case 'near': {
      const phrases = plan.phrases.map(({ words, prefix }) => words.join('+') + (prefix ? '*' : ''))
      return `${plan.field}=~${plan.distance}(${phrases.join(' ')})`
    }
    case 'and':
    case 'or':
      return `(${plan.of.map(short).join(plan.kind === 'and' ? ' & ' : ' | ')})`
    case 'not':
      return `(${short(plan.include)} - ${short(plan.exclude)})`
  }
}

function leafOf(text: string): Leaf {
  const query = parseQuery(text)
  if (query.kind !== 'phrase' && query.kind !== 'near') throw new Error(`${text} is no leaf`)
  return query
}

t.test('a leaf is looked for in the forms it may have', async (t) => {
  const rows: readonly (readonly [leaf: string, body: string])[] = [
    ['foobar', '(body=foobar | bodyWhole=foobar)'],
    ['fooBar', '(body=foo+bar | body=foobar | bodyWhole=foobar)'],
    ['fooB*', '(body=foo+b* | body=foob* | bodyWhole=foob*)'],
    ['foo_*', '(body=foo* | bodyWhole=foo*)'],
    ['"foo bar"', 'body=foo+bar'],
    ['"open fooBar"*', 'body=open+foo+bar*'],
    ['foo.bar', 'body=foo+bar'],
    ['NEAR(fooBar b* \u65e5\u672c \u8a9e, 3)', 'body=~3(foo+bar b* \u65e5\u672c \u8a9e*)'],
    // Characters of a script without spaces: the text may go on, but only at the end.
    ['\u65e5\u672c\u8a9e', 'body=\u65e5\u672c+\u672c\u8a9e'],
    ['\u65e5\u672c\u8a9e*', 'body=\u65e5\u672c+\u672c\u8a9e'],
    ['\u65e5\u672c', 'body=\u65e5\u672c'],
    ['\u65e5', 'body=\u65e5*'],
    ['v\u65e5', 'body=v+\u65e5*'],
    ['"\u65e5\u672c v"', 'body=\u65e5\u672c+\u672c+v'],
    ['"\u65e5 v"', 'body=\u65e5+v'],
  ]
  for (const [leaf, body] of rows) t.equal(short(bodyPlan(leafOf(leaf))), body, leaf)
})

t.test('a field says where a leaf is looked for', async (t) => {
  t.equal(short(filePlan(leafOf('"a b"'))), '(path=a+b | name=a+b)')
  t.equal(short(filePlan(leafOf('a'))), '(path=a | pathWhole=a | name=a | nameWhole=a)')
  t.equal(short(filePlan(leafOf('path:a'))), '(path=a | pathWhole=a)')
  t.equal(short(filePlan(leafOf('name:NEAR(a b, 1)'))), 'name=~1(a b)')
  t.equal(filePlan(leafOf('body:a')), undefined)
  t.equal(bodyPlan(leafOf('name:a')), undefined)
  t.equal(bodyPlan(leafOf('path:a')), undefined)
  t.equal(short(bodyPlan(leafOf('body:"a b"'))), 'body=a+b')
})

t.test('texts are asked for what is left when some leaves are given', async (t) => {
  const given = (leaf: Leaf): boolean | undefined => {
    const word = leaf.kind === 'phrase' ? leaf.term.runs[0]?.words[0] : undefined
    return word === 'yes' ? true : word === 'no' ? false : undefined
  }
  const rows: readonly (readonly [query: string, plan: string])[] = [
    ['"a b" "c d"', '(body=a+b & body=c+d)'],
    ['"a b" yes', 'body=a+b'],
    ['"a b" no', 'false'],
    ['"a b" OR yes', 'true'],
    ['"a b" OR no', 'body=a+b'],
    ['"a b" OR name:x', 'body=a+b'],
    ['"a b" name:x', 'false'],
    ['"a b" NOT name:x', 'body=a+b'],
    ['"a b" NOT "c d"', '(body=a+b - body=c+d)'],
    ['"a b" NOT yes', 'false'],
    ['"a b" NOT no', 'body=a+b'],
    ['yes NOT "a b"', 'true'],
    ['no NOT "a b"', 'false'],
    ['("a b" OR no) (yes OR "c d")', 'body=a+b'],
  ]
  for (const [query, plan] of rows) t.equal(short(textPlan(parseQuery(query), given)), plan, query)
})
