// What a mounted vault is doing, from two samples of its metrics some time apart. Knows the names
// of metrics.ts.

import { parsePrometheus, type Scraped } from '../control/wire/prometheus.ts'

/** The metrics at one time. */
export interface MetricsSample {
  readonly atMs: number
  readonly samples: readonly Scraped[]
}

/**
 * Requests of one kind. A percentile is the upper end of the power of two in microseconds that it
 * is in.
 */
interface OperationLoad {
  readonly operation: string
  readonly perSecond: number
  readonly refusalsPerSecond: number
  readonly p50Us: number
  readonly p90Us: number
  readonly p99Us: number
}

export interface Load {
  readonly seconds: number
  readonly requestsPerSecond: number
  /** Bytes that the kernel sent to the daemon, and got from it. */
  readonly receivedBytesPerSecond: number
  readonly sentBytesPerSecond: number
  readonly waiting: number
  readonly residentBytes: number
  /**
   * Reads of blocks that were answered from memory, of all since the last sample; 1 when there were
   * none.
   */
  readonly cacheHits: number
  /** The busiest first; those that were not asked for are left out. */
  readonly operations: readonly OperationLoad[]
}

export function sampleOf(text: string, atMs: number): MetricsSample {
  return { atMs, samples: parsePrometheus(text) }
}

/** What happened between two samples. */
export function loadBetween(before: MetricsSample, after: MetricsSample): Load {
  const seconds = Math.max(0.001, (after.atMs - before.atMs) / 1000)
  const was = new Map(before.samples.map((sample) => [idOf(sample), sample.value]))
  const grown = (sample: Scraped): number => sample.value - (was.get(idOf(sample)) ?? 0)
  const named = (name: string): Scraped[] => after.samples.filter((sample) => sample.name === name)
  const total = (name: string): number =>
    named(name).reduce((sum, sample) => sum + grown(sample), 0)
  const now = (name: string): number => named(name)[0]?.value ?? 0
  const operations = named('avfs_requests_total')
    .map((sample): OperationLoad => {
      const operation = sample.labels.operation ?? ''
      const ofIt = (other: Scraped): boolean => other.labels.operation === operation
      const refusals = named('avfs_refusals_total').find(ofIt)
      const buckets = named('avfs_request_seconds_bucket')
        .filter(ofIt)
        .map((bucket) => ({
          us: Number(bucket.labels.le?.replace('+Inf', 'Infinity')) * 1e6,
          count: grown(bucket),
        }))
      return {
        operation,
        perSecond: grown(sample) / seconds,
        refusalsPerSecond: refusals === undefined ? 0 : grown(refusals) / seconds,
        p50Us: percentile(buckets, 0.5),
        p90Us: percentile(buckets, 0.9),
        p99Us: percentile(buckets, 0.99),
      }
    })
    .filter(({ perSecond }) => perSecond > 0)
    .sort((a, b) => b.perSecond - a.perSecond)
  const hits = total('avfs_vault_block_hits')
  const reads = hits + total('avfs_vault_block_loads')
  return {
    seconds,
    requestsPerSecond: total('avfs_requests_total') / seconds,
    receivedBytesPerSecond: total('avfs_received_bytes_total') / seconds,
    sentBytesPerSecond: total('avfs_sent_bytes_total') / seconds,
    waiting: now('avfs_waiting_replies'),
    residentBytes: now('avfs_resident_bytes'),
    cacheHits: reads === 0 ? 1 : hits / reads,
    operations,
  }
}

function idOf({ name, labels }: Scraped): string {
  return `${name} ${labels.operation ?? ''} ${labels.le ?? ''}`
}

/** The end of the bucket in which a share of all requests is reached; counts are cumulative. */
function percentile(buckets: readonly { us: number; count: number }[], share: number): number {
  const all = buckets.at(-1)?.count ?? 0
  const found = buckets.find(({ count }) => all > 0 && count >= all * share)
  const end = found?.us ?? 0
  // Beyond the last end that has a number.
  return Number.isFinite(end) ? Math.round(end) : Math.round((buckets.at(-2)?.us ?? 0) * 2)
}
