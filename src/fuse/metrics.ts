// What a session counts, as plain arrays that are cheap to add to and read by whoever publishes
// them.

import { FUSE_OPCODES } from './abi.ts'

/**
 * Bucket b of a latency histogram counts requests answered in less than 2^b microseconds; the last
 * takes the rest.
 */
export const LATENCY_BUCKETS = 24

export interface SessionMetrics {
  /** Requests and refusals (errno replies) by opcode. */
  readonly requests: Float64Array
  readonly refusals: Float64Array
  /** Time to the reply or, where that is delayed, to its promise: LATENCY_BUCKETS an opcode. */
  readonly latency: Float64Array
  /** The same times added up, in milliseconds by opcode. */
  readonly elapsedMs: Float64Array
  bytesReceived: number
  bytesSent: number
  /** Deferred replies that wait now. */
  waiting: number
}

export function createMetrics(): SessionMetrics {
  return {
    requests: new Float64Array(FUSE_OPCODES),
    refusals: new Float64Array(FUSE_OPCODES),
    latency: new Float64Array(FUSE_OPCODES * LATENCY_BUCKETS),
    elapsedMs: new Float64Array(FUSE_OPCODES),
    bytesReceived: 0,
    bytesSent: 0,
    waiting: 0,
  }
}

/** Counts one request of an opcode that took so long. */
export function countLatency(metrics: SessionMetrics, opcode: number, elapsedMs: number): void {
  const bucket = Math.min(32 - Math.clz32(elapsedMs * 1000), LATENCY_BUCKETS - 1)
  const index = opcode * LATENCY_BUCKETS + bucket
  metrics.latency[index] = (metrics.latency[index] ?? 0) + 1
  metrics.elapsedMs[opcode] = (metrics.elapsedMs[opcode] ?? 0) + elapsedMs
}
