// Globs on paths and names: what each means, and that none takes long.

import t from 'tap'
import { GlobError, nameMatcher, pathMatcher } from '../../src/base/glob.ts'

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

t.test('no glob takes long', async (t) => {
  const isMeant = pathMatcher([`${'*a'.repeat(100)}b`, `${'**/'.repeat(100)}b`])
  const from = performance.now()
  t.notOk(isMeant('a'.repeat(255)))
  t.notOk(isMeant('a/'.repeat(2000)))
  // A matcher that goes back would not end within the age of the universe.
  t.ok(performance.now() - from < 30_000)
})

t.test('braces that stand for very much are refused', async (t) => {
  const braces = '{a,b}'.repeat(9)
  t.doesNotThrow(() => nameMatcher([braces]))
  t.throws(() => nameMatcher(['{a,b}'.repeat(10)]), { name: 'GlobError', message: /1000 globs/ })
  const long = `${braces}${'*a'.repeat(100)}`
  t.throws(() => nameMatcher([long]), { name: 'GlobError', message: /characters/ })
})
