// What avfs vault top computes from two readings of a daemon's metrics.

import t from 'tap'
import { loadBetween, sampleOf } from '../../src/cli/request-rates.ts'
import { type MetricFamily, prometheusText } from '../../src/control/wire/prometheus.ts'

/** Metrics after so many reads, of which each took less than 2^`bucket` microseconds. */
function metrics(reads: number, slow: number, opens: number): string {
  const bucket = (operation: string, le: string, value: number) => ({
    suffix: '_bucket',
    labels: { operation, le },
    value,
  })
  const families: MetricFamily[] = [
    {
      name: 'avfs_requests_total',
      help: 'x',
      type: 'counter',
      samples: [
        { labels: { operation: 'READ' }, value: reads + slow },
        { labels: { operation: 'LOOKUP' }, value: opens },
        { labels: { operation: 'STATFS' }, value: 7 },
      ],
    },
    {
      name: 'avfs_refusals_total',
      help: 'x',
      type: 'counter',
      samples: [{ labels: { operation: 'LOOKUP' }, value: opens / 2 }],
    },
    {
      name: 'avfs_request_seconds',
      help: 'x',
      type: 'histogram',
      samples: [
        bucket('READ', '0.000016', reads),
        bucket('READ', '0.004', reads + slow),
        bucket('READ', '+Inf', reads + slow),
      ],
    },
    {
      name: 'avfs_sent_bytes_total',
      help: 'x',
      type: 'counter',
      samples: [{ value: reads * 100 }],
    },
    { name: 'avfs_vault_block_hits', help: 'x', type: 'gauge', samples: [{ value: reads }] },
    { name: 'avfs_vault_block_loads', help: 'x', type: 'gauge', samples: [{ value: slow }] },
    { name: 'avfs_resident_bytes', help: 'x', type: 'gauge', samples: [{ value: 4096 }] },
  ]
  return prometheusText(families)
}

t.test('rates, percentiles and the share of the cache are of what came between two looks', (t) => {
  const before = sampleOf(metrics(1000, 500, 10), 1000)
  const after = sampleOf(metrics(1960, 540, 30), 3000)
  const load = loadBetween(before, after)
  t.match(load, {
    seconds: 2,
    requestsPerSecond: 510,
    sentBytesPerSecond: 48_000,
    residentBytes: 4096,
    cacheHits: 0.96,
  })
  t.same(
    load.operations.map(({ operation }) => operation),
    ['READ', 'LOOKUP'],
    'the busiest first, and none that was not asked for',
  )
  t.match(load.operations[0], { perSecond: 500, p50Us: 16, p90Us: 16, p99Us: 4000 })
  t.match(load.operations[1], { perSecond: 10, refusalsPerSecond: 5 })
  t.end()
})

t.test('without requests there is nothing to divide by', (t) => {
  const look = sampleOf(metrics(5, 5, 5), 0)
  t.match(loadBetween(look, look), { requestsPerSecond: 0, cacheHits: 1, operations: [] })
  t.end()
})
