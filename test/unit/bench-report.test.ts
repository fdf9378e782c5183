// The arithmetic and the text of the benchmarks' reports: a wrong median would be believed.

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { amount, median, table, writeSection } from '../../scripts/bench-report.ts'

t.test('the median is the middle value, whatever the order', async (t) => {
  t.equal(median([9, 1, 5]), 5)
  t.equal(median([4, 1, 3, 2]), 2.5)
  t.throws(() => median([]), RangeError)
})

t.test('amounts show three digits at least and no more than help', async (t) => {
  t.equal(amount(12_345.6), '12,346')
  t.equal(amount(12.345), '12.3')
  t.equal(amount(1.234), '1.23')
})

t.test('a table is markdown with figures to the right', async (t) => {
  t.equal(table(['', 'a'], [['row', '1']]), '|  | a |\n| --- | ---: |\n| row | 1 |')
})

t.test('a section is replaced between its markers and leaves the rest alone', async (t) => {
  const document = join(mkdtempSync(join(tmpdir(), 'avfs-report-')), 'benchmarks.md')
  writeFileSync(document, '# Title\n\nProse.\n')
  writeSection('one', 'first', document)
  writeSection('two', 'second', document)
  writeSection('one', 'third', document)
  const text = readFileSync(document, 'utf8')
  t.match(text, /^# Title\n\nProse\.\n/)
  t.notMatch(text, /first/)
  t.match(text, /third.*second/s)
})
