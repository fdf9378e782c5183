// The unified format, against the patterns of diff(1); and the conditions of `avfs meta find`.

import t from 'tap'
import { conditionOf, holds } from '../../src/cli/meta-condition.ts'
import { unifiedDiff } from '../../src/cli/unified.ts'

const labels = { before: 'a/x', after: 'b/x' }

t.test('equal texts have no difference', async (t) => {
  t.equal(unifiedDiff('', '', labels), '')
  t.equal(unifiedDiff('a\nb\n', 'a\nb\n', labels), '')
})

t.test('three lines of context stand around a change', async (t) => {
  const before = '1\n2\n3\n4\n5\n6\n7\n8\n9\n'
  t.equal(
    unifiedDiff(before, before.replace('5', 'five'), labels),
    '--- a/x\n+++ b/x\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n',
  )
})

t.test('a missing last newline is told, and what was empty begins at 0', async (t) => {
  t.equal(
    unifiedDiff('', 'a', labels),
    '--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+a\n\\ No newline at end of file\n',
  )
  t.equal(unifiedDiff('a\nb\n', '', labels), '--- a/x\n+++ b/x\n@@ -1,2 +0,0 @@\n-a\n-b\n')
})

t.test('values compare as numbers where both are numbers', async (t) => {
  const holdsFor = (condition: string, value: string): boolean =>
    holds(conditionOf(condition), value)
  t.ok(holdsFor('k=5', '5.0'))
  t.ok(holdsFor('k>9', '10'))
  t.notOk(holdsFor('k<9', '10'))
  t.ok(holdsFor('k<=b', 'a'))
  t.ok(holdsFor('k!=a', 'b'))
  t.ok(holdsFor('k>=1e3', '1000'))
  t.ok(holdsFor('k~=^a.c$', 'abc'))
  t.ok(holdsFor('k=a=b', 'a=b'))
  t.throws(() => conditionOf('k'), { message: /no condition/ })
  t.throws(() => conditionOf('k~=('), { message: /regular expression/ })
})
