// What the main thread and the commit thread say to each other: a request has an id, its answer the
// same one.

import type { MessagePort } from 'node:worker_threads'
import type { SqlStatement } from '../store.ts'
import type { SqliteFailure } from './errors.ts'
import type { PackedBatch } from './pack.ts'

/** workerData of both worker files. */
export interface WorkerOptions {
  readonly path: string
}

/**
 * A batch to commit. `attempt` grows by one with each failure that the main thread has seen; so the
 * thread knows which commits were posted while a failure before them was not known yet, and refuses
 * them.
 */
export interface CommitRequest {
  readonly id: number
  readonly kind: 'commit'
  readonly attempt: number
  readonly batch: PackedBatch
}

/**
 * Statements on tables that are no collections: see Auxiliary. They neither refuse commits nor are
 * refused with them.
 */
export interface RunRequest {
  readonly id: number
  readonly kind: 'run'
  readonly statements: readonly SqlStatement[]
  readonly durable: boolean
}

/** Takes requests to run from a port of another thread's, too, and answers them there. */
interface ConnectRequest {
  readonly id: number
  readonly kind: 'connect'
  readonly port: MessagePort
}

export type Request =
  | CommitRequest
  | RunRequest
  | ConnectRequest
  | { readonly id: number; readonly kind: 'compact' | 'vacuum' | 'close' }

export interface Answer {
  readonly id: number
  readonly failure?: SqliteFailure
  /** The batch's slot, handed back. */
  readonly slot?: number
  /** How many rows a run changed. */
  readonly changes?: number
}

/** The id of the answer that no request asked for: the thread has opened the file. */
export const READY_ID = 0
/** The id under which a checkpoint that failed is reported. */
export const CHECKPOINT_ID = -1
