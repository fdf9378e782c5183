// The log: nobody can inject lines into it, and nobody can fill the disk with it.

import t from 'tap'
import { log, logTrace, setLog } from '../../src/base/log.ts'
import { LINES_A_SECOND, LINES_AT_ONCE, limited } from '../../src/base/log-limit.ts'

t.test('what comes from others is shown without control characters, in one line', async (t) => {
  const lines: string[] = []
  setLog('info', (line) => lines.push(line))
  const name = 'a\n2026-01-01T00:00:00.000Z error forged\r\x1b[2J\x9b1m\u202eb\u2028\t\x00'
  const error = new Error(`no ${name}`, { cause: new TypeError(`why ${name}`) })
  log('warn', `name ${name}`)
  log('warn', 'failed', name)
  logTrace(`LOOKUP ${name}`)
  for (const line of lines) {
    t.match(line, /^[\x20-\x7e]+\n$/)
    t.match(line, /a\\n2026-01-01T00:00:00.000Z error forged\\r\\x1b\[2J\\x9b1m\\u\{202e\}b/)
  }
  lines.length = 0
  log('error', 'failed', error)
  const [first = '', ...rest] = (lines[0] ?? '').trimEnd().split('\n')
  t.match(first, / error failed: Error: no a\\n2026/)
  for (const line of rest) t.match(line, /^( {4}at |caused by TypeError: why a\\n)[\x20-\x7e]*$/)
  t.equal(rest.filter((line) => line.startsWith('caused by')).length, 1)
  lines.length = 0
  log('info', 'x'.repeat(1e6))
  t.ok((lines[0] ?? '').length < 20_000, 'and no longer than a line')
})

t.test('lines of one level are limited, and do not hide those of another', async (t) => {
  const lines: string[] = []
  let now = 0
  setLog(
    'info',
    limited(
      (line) => lines.push(line),
      () => now,
    ),
  )
  for (let at = 0; at < 10_000; at++) log('info', `${at} shows nothing`)
  t.equal(lines.length, LINES_AT_ONCE)
  log('error', 'the disk is broken')
  t.match(lines.at(-1), /error the disk is broken/)
  for (let at = 0; at < 1000; at++) logTrace('LOOKUP')
  t.equal(lines.length, LINES_AT_ONCE + 1001, 'a trace is as long as it is')
  lines.length = 0
  now += 60_000
  for (let at = 0; at < 1000; at++) log('info', `${at} later`)
  t.match(
    lines[0],
    new RegExp(`info ${10_000 - LINES_AT_ONCE} more lines like these were left out`),
  )
  t.equal(lines.length, 1 + 60 * LINES_A_SECOND)
})
