// WHEN as people write it.

import t from 'tap'
import { formatMoment, parseMoment, parseWhen } from '../../src/vault/core/when.ts'

process.env.TZ = 'Europe/Berlin'
const now = Date.UTC(2026, 10, 23, 12, 0, 0) * 1000
const utc = (...parts: [number, number, number, number, number, number]) =>
  Date.UTC(...parts) * 1000
/** A second that is over is meant whole. */
const END = 999_999

t.test('times in UTC, in a zone and in local time', async (t) => {
  const ten = utc(2026, 10, 22, 10, 0, 0)
  t.equal(parseMoment('2026-11-22T10-00-00Z', now), ten + END)
  t.equal(parseMoment('2026-11-22T10:00:00Z', now), ten + END)
  t.equal(parseMoment('2026-11-22T10:00:00+01:00', now), ten - 3600e6 + END)
  t.equal(parseMoment('2026-11-22T10:00:00-0530', now), ten + 5.5 * 3600e6 + END)
  t.equal(parseMoment('2026-11-22T10-00-00', now), ten - 3600e6 + END, 'Berlin in winter')
  t.equal(parseMoment('2026-07-22T10:00:00', now), utc(2026, 6, 22, 8, 0, 0) + END, 'in summer')
  t.equal(parseMoment('2026-11-22 10:00', now), ten - 3600e6 + END)
  t.equal(parseMoment('2026-11-22', now), utc(2026, 10, 21, 23, 0, 0) + END, 'midnight')
  t.equal(parseMoment('@GMT-2026.11.22-10.00.00', now), ten + END, 'as Samba writes it')
})

t.test('a fraction of a second is exact', async (t) => {
  const ten = utc(2026, 10, 22, 10, 0, 0)
  t.equal(parseMoment('2026-11-22T10-00-00.5Z', now), ten + 500_000)
  t.equal(parseMoment('2026-11-22T10:00:00.000001Z', now), ten + 1)
  t.equal(parseMoment('@1795000000.25', now), 1795000000_250000)
  t.equal(parseMoment(formatMoment(1795000000_000007), now), 1795000000_000007)
})

t.test('seconds since 1970 and ages', async (t) => {
  t.equal(parseMoment('@1795000000', now), 1795000000_000000 + END)
  t.equal(parseMoment('now', now), now)
  t.equal(parseMoment('30s', now), now - 30e6)
  t.equal(parseMoment('10m', now), now - 600e6)
  t.equal(parseMoment('2h', now), now - 7200e6)
  t.equal(parseMoment('3d', now), now - 3 * 86400e6)
  t.equal(parseMoment('1w', now), now - 7 * 86400e6)
  t.equal(parseMoment('yesterday', now), now - 86400e6)
})

t.test('what is too far away to be counted is as far as can be counted', async (t) => {
  const most = Number.MAX_SAFE_INTEGER
  for (const text of ['9999-12-31', '2500-01-01T10-00-00.5Z', '@99999999999'])
    t.same(parseWhen(text, now), { wall: most, nth: 1 }, text)
  t.same(parseWhen('0100-01-01', now), { wall: -most, nth: 1 })
  t.same(parseWhen('999999999y', now), { ago: most })
  t.equal(parseWhen('0026-11-22', now), undefined, 'and no year of another century')
  for (const wall of [most, -most]) t.equal(parseMoment(formatMoment(wall), now), wall)
})

t.test('the running second ends now, and the future stays the future', async (t) => {
  t.equal(parseMoment(`@${now / 1e6}`, now + 300), now + 300)
  t.equal(parseMoment(`@${now / 1e6 + 5}`, now), now + 5e6 + END)
})

t.test('what is no time is refused', async (t) => {
  for (const text of [
    ...[
      '',
      'x',
      '10',
      'm',
      '10x',
      '-1d',
      '@',
      '@x',
      '2026',
      '2026-13-01',
      '2026-02-30',
      '2026-11-22T',
    ],
    ...[
      '2026-11-22T25:00:00Z',
      '2026-11-22T10:60Z',
      '2026-11-22T10',
      '@GMT-2026.11.22',
      '.avfs',
      '10m/..',
    ],
  ])
    t.equal(parseMoment(text, now), undefined, JSON.stringify(text))
})
