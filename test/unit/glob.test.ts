// Globs on paths and names: what each means, and that none takes long.

import t from 'tap'
import { GlobError, globRule, nameMatcher, pathMatcher } from '../../src/base/glob.ts'
import { overBytes } from '../../src/base/path-rule.ts'
import { toText } from '../../src/control/wire/byte-strings.ts'

/** Of each glob: paths that it means, and paths that it does not. */
const paths: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['*.ts', ['a.ts', 'x/y/a.ts', '.ts', 'a.ts/below'], ['a.tsx', 'ts']],
  ['/*.ts', ['a.ts'], ['x/a.ts']],
  ['src', ['src', 'src/a', 'x/src/a'], ['srcs', 'asrc', 'x/srcs']],
  ['src/**', ['src', 'src/a/b', 'x/src'], ['a/srcs']],
  ['node_modules/**', ['a/.b/node_modules/x/y'], ['node_modules2/x']],
  ['/**', ['a', 'a/b'], []],
  ['/a/**/z', ['a/z', 'a/b/z', 'a/b/c/z', 'a/z/below'], ['az', 'b/a/z', 'a/bz']],
  ['**/z', ['z', 'a/b/z'], ['az']],
  ['**', ['a', 'a/b'], []],
  ['a/*/c', ['a/b/c', 'x/a/b/c'], ['a/c', 'a/b/b/c']],
  ['a**b', ['ab', 'axxb'], ['a/b']],
  ['?', ['a', 'x/\u00e9', '\u{1f600}'], ['ab']],
  ['[a-c]x', ['ax', 'cx'], ['dx', 'x']],
  ['[!a-c]x', ['dx', 'y/dx'], ['ax', 'b/x']],
  ['[]]', [']'], ['[]]']],
  ['[', ['['], ['a']],
  ['*.{js,t{s,sx}}', ['a.js', 'a.ts', 'a.tsx'], ['a.t', 'a.{js}']],
  ['{a}', ['{a}'], ['a']],
  ['{a,b', ['{a,b'], ['a']],
  ['\\*', ['*'], ['a']],
  ['\\{a,b}', ['{a,b}'], ['a', 'b']],
  ['.hidden/*', ['.hidden/.a'], ['hidden/a']],
]

for (const [glob, means, others] of paths) {
  t.test(`${glob} means the paths that it should`, async (t) => {
    const isMeant = pathMatcher([glob])
    for (const path of means) t.ok(isMeant(path), path)
    for (const path of others) t.notOk(isMeant(path), path)
  })
}

t.test('a name fits as a whole', async (t) => {
  t.ok(nameMatcher(['a*', 'b'])('b'))
  t.ok(nameMatcher(['a*', 'b'])('abc'))
  t.notOk(nameMatcher(['b'])('ab'))
  t.notOk(nameMatcher(['b'])('ba'))
})

t.test('globs that stand for too many are refused', async (t) => {
  t.throws(() => pathMatcher(['{a,b}'.repeat(11)]), GlobError)
  t.throws(() => pathMatcher(['']), GlobError)
})

/** How many places a name is at after each of its characters: what following it costs. */
function stepsOf(globs: readonly string[], name: string): number {
  const rule = globRule(globs)
  let steps = 0
  for (let end = 1; end <= name.length; end++) {
    const places = rule.enter(rule.top, name.slice(0, end))
    t.equal(new Set(places).size, places.length, 'none twice')
    steps += places.length
  }
  return steps
}

t.test('no glob takes more steps than its length times that of the text', async (t) => {
  for (const glob of [
    `${'*a'.repeat(100)}b`,
    `${'**/'.repeat(100)}b`,
    `${'*'.repeat(100)}a*b`,
    `${'[a-z]*'.repeat(50)}b`,
    `${'?'.repeat(100)}${'*?'.repeat(50)}/b`,
  ])
    t.ok(stepsOf([glob], 'a'.repeat(255)) <= (glob.length + 2) * 255, glob.slice(0, 10))
  const isMeant = pathMatcher([`${'*a'.repeat(100)}b`, `${'**/'.repeat(100)}b`])
  // A matcher that goes back would not end within the age of the universe.
  t.notOk(isMeant('a'.repeat(255)))
  t.notOk(isMeant('a/'.repeat(2000)))
})

t.test('names and paths are read alike, names that begin with a dot too', async (t) => {
  const globs = ['*.log', '?x*', '[.]git*', '{.env,*.tmp}']
  for (const name of ['.x.log', 'a.log', '.xrc', '.gitignore', '.env', '.tmp', 'log', 'x']) {
    t.equal(nameMatcher(globs)(name), pathMatcher(globs)(name), name)
    t.equal(pathMatcher(globs)(name), pathMatcher(globs)(`a/.b/${name}`), `${name} below others`)
  }
  t.ok(nameMatcher(['*.log'])('.x.log'))
})

t.test('a character is one of text, and what is no UTF-8 is U+FFFD', async (t) => {
  for (const [glob, name, wanted] of [
    ['caf?', 'caf\u00c3\u00a9', true],
    ['caf??', 'caf\u00c3\u00a9', false],
    ['caf\u00e9', 'caf\u00c3\u00a9', true],
    ['caf[\u00e0-\u00ff]', 'caf\u00c3\u00a9', true],
    ['caf?', 'caf\u00e9', true],
    ['caf\ufffd', 'caf\u00e9', true],
    ['caf\u00e9', 'caf\u00e9', false],
  ] as const) {
    const rule = overBytes(globRule([glob]))
    t.equal(rule.means(rule.enter(rule.top, name)), wanted, glob)
    t.equal(nameMatcher([glob])(toText(name)), wanted, glob)
  }
})

t.test('all globs together have a bound', async (t) => {
  const glob = 'a'.repeat(4000)
  t.doesNotThrow(() => globRule([glob, glob]))
  const many = Array.from({ length: 5 }, () => glob)
  t.throws(() => globRule(many), { name: 'GlobError', message: /characters/ })
})

t.test('braces that stand for very much are refused', async (t) => {
  const braces = '{a,b}'.repeat(9)
  t.doesNotThrow(() => nameMatcher([braces]))
  t.throws(() => nameMatcher(['{a,b}'.repeat(10)]), { name: 'GlobError', message: /1000 globs/ })
  const long = `${braces}${'*a'.repeat(100)}`
  t.throws(() => nameMatcher([long]), { name: 'GlobError', message: /characters/ })
})
