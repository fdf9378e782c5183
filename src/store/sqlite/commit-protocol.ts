// The messages between the main thread and the commit thread. An answer has the id of its request.

import type { MessagePort } from 'node:worker_threads'
import type { SqlStatement } from '../store.ts'
import type { SqliteFailure } from './errors.ts'
import type { PackedBatch } from './pack.ts'

/** workerData of both worker files. */
export interface WorkerOptions {
  readonly path: string
}

/** workerData of commit-worker.ts. */
export interface CommitOptions extends WorkerOptions {
  /** Of its page cache. */
  readonly cacheBytes: number
}

/**
 * A batch to commit. `attempt` is the number of failures that the main thread knew of when it
 * posted the batch: the commit thread refuses batches posted before an earlier failure was known.
 */
export interface CommitRequest {
  readonly id: number
  readonly kind: 'commit'
  readonly attempt: number
  readonly batch: PackedBatch
}

/**
 * Statements on tables that are not collections: see Auxiliary. Neither these nor commits are
 * refused when the other fails.
 */
export interface RunRequest {
  readonly id: number
  readonly kind: 'run'
  readonly statements: readonly SqlStatement[]
  readonly durable: boolean
}

/** Makes the thread also take run requests from another thread's port, and answer them there. */
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
  /** The batch's slot, to be reused. */
  readonly slot?: number
  /** Number of rows that a run changed. */
  readonly changes?: number
}

/** The id of the unsolicited answer that says that the thread has opened the file. */
export const READY_ID = 0
/** The id under which a failed checkpoint is reported. */
export const CHECKPOINT_ID = -1
