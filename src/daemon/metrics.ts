// The figures of a daemon for /metrics: the session's counters by operation, and the vault's sizes.

import { type MetricFamily, prometheusText, type Sample } from '../control/wire/prometheus.ts'
import { LATENCY_BUCKETS, type SessionMetrics } from '../fuse/metrics.ts'
import { operationTable } from '../fuse/ops.ts'
import type { Vault } from '../vault/vault.ts'

/** Prometheus text. `session` is undefined until the kernel is served. */
export function daemonMetrics(vault: Vault, session: SessionMetrics | undefined): string {
  return prometheusText([...(session === undefined ? [] : ofSession(session)), ...ofVault(vault)])
}

function ofSession(metrics: SessionMetrics): MetricFamily[] {
  return [
    counter('avfs_requests_total', 'Requests of the kernel.', byOperation(metrics.requests)),
    counter(
      'avfs_refusals_total',
      'Requests answered with an error.',
      byOperation(metrics.refusals),
    ),
    {
      name: 'avfs_request_seconds',
      help: 'Time to the reply.',
      type: 'histogram',
      samples: latencies(metrics),
    },
    counter('avfs_received_bytes_total', 'Bytes read from the kernel.', [
      { value: metrics.bytesReceived },
    ]),
    counter('avfs_sent_bytes_total', 'Bytes sent to the kernel.', [{ value: metrics.bytesSent }]),
    gauge('avfs_waiting_replies', 'Replies that wait for the store.', metrics.waiting),
    ...ofMemory(process.memoryUsage()),
  ]
}

function ofMemory({ rss, heapTotal, heapUsed, arrayBuffers }: NodeJS.MemoryUsage): MetricFamily[] {
  return [
    gauge('avfs_resident_bytes', 'Memory of the daemon.', rss),
    gauge('avfs_heap_bytes', 'Memory of the main thread for objects.', heapTotal),
    gauge('avfs_heap_used_bytes', 'What objects take of it, garbage included.', heapUsed),
    gauge('avfs_buffer_bytes', 'Memory of the main thread for buffers.', arrayBuffers),
  ]
}

function byOperation(counts: Float64Array): Sample[] {
  return [...counts].flatMap((value, opcode) => {
    const name = operationTable[opcode]?.name
    return value === 0 || name === undefined ? [] : [{ labels: { operation: name }, value }]
  })
}

/** Cumulative, as Prometheus requires; the last bucket has no upper bound. */
function latencies({ latency, elapsedMs, requests }: SessionMetrics): Sample[] {
  return [...elapsedMs].flatMap((sumMs, opcode) => {
    const operation = operationTable[opcode]?.name
    if (requests[opcode] === 0 || operation === undefined) return []
    let count = 0
    const buckets = Array.from({ length: LATENCY_BUCKETS }, (_, bucket): Sample => {
      count += latency[opcode * LATENCY_BUCKETS + bucket] ?? 0
      const le = bucket === LATENCY_BUCKETS - 1 ? '+Inf' : String(2 ** bucket / 1e6)
      return { suffix: '_bucket', labels: { operation, le }, value: count }
    })
    const labels = { operation }
    return [
      ...buckets,
      { suffix: '_sum', labels, value: sumMs / 1000 },
      { suffix: '_count', labels, value: count },
    ]
  })
}

function ofVault(vault: Vault): MetricFamily[] {
  const { engine, ...stats } = vault.stats()
  return Object.entries({ ...engine, ...stats }).flatMap(([name, value]) => {
    if (typeof value !== 'number') return []
    const words = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    return [
      gauge(`avfs_vault_${words.replace(/\W/g, '_')}`, `As avfs vault stats says: ${name}.`, value),
    ]
  })
}

function counter(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { name, help, type: 'counter', samples }
}

function gauge(name: string, help: string, value: number): MetricFamily {
  return { name, help, type: 'gauge', samples: [{ value }] }
}
