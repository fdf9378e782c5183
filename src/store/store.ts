// The interface between a vault and its storage engine: get, scan and commit over collections, and
// some housekeeping. Neither this file nor anything below it knows what a row means. Every adapter
// must pass test/store/suite.ts.

import type { MessagePort } from 'node:worker_threads'
import { hasChanged } from '../base/step.ts'
import type { Collection, Key } from './collections.ts'

/** The kinds of StoreError. 'unavailable': the engine cannot be loaded on this machine. */
export type StoreErrorKind =
  | 'busy'
  | 'full'
  | 'corrupt'
  | 'locked'
  | 'closed'
  | 'io'
  | 'format'
  | 'unavailable'

/**
 * An operation that an engine refused or could not complete. `message` tells the user what to do,
 * `cause` is the engine's own error.
 */
export class StoreError extends Error {
  readonly kind: StoreErrorKind
  constructor(kind: StoreErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreError'
    this.kind = kind
  }
}

/** The error for a row that violates an invariant of the vault. */
export function corrupt(what: string): StoreError {
  return new StoreError('corrupt', `the vault is damaged: ${what}; run avfs vault check --deep`)
}

/**
 * Thrown by a get or scan that an engine cannot answer synchronously. The caller that runs the
 * operation awaits `load` and runs the operation again from its start; the same read is then
 * answered from memory. The operation must not have changed anything before it: constructing a
 * Fault in a step that has changed something (base/step.ts) is a bug and throws a plain Error.
 */
export class Fault extends Error {
  readonly load: () => Promise<void>
  /** Nothing is missing: the step only yields to other work (pause.ts). */
  readonly isPause: boolean
  constructor(load: () => Promise<void>, isPause = false) {
    if (hasChanged()) throw new Error('a read must wait although the step has changed something')
    super('a read that must wait')
    this.name = 'Fault'
    this.load = load
    this.isPause = isPause
  }
}

/**
 * Rows with gte <= key < lt in ascending key order (descending if `reverse`), at most `limit`.
 * Bounds may be shorter than a key: they are compared component by component, and a bound that is a
 * prefix of a key sorts before it. So all rows of directory 5 are {gte: [5], lt: [6]}.
 */
export interface Range {
  readonly gte?: Key
  readonly lt?: Key
  readonly reverse?: boolean
  readonly limit: number
}

/** The limit of a range that is read whole. */
export const ALL = Number.MAX_SAFE_INTEGER

/**
 * Changes to one collection: rows to put (insert or replace) and keys to delete (deleting a missing
 * key is not an error). No key occurs twice.
 */
export interface Changes<R extends object = object> {
  readonly collection: Collection<R>
  readonly puts: readonly R[]
  readonly deletes: readonly Key[]
}

export type Batch = readonly Changes[]

export interface StoreTraits {
  /** The engine's name as users type it. */
  readonly backend: string
  /** get and scan never throw Fault. */
  readonly synchronous: boolean
  /** Data outlive the process; false for memory. */
  readonly persistent: boolean
  /** The engine compresses its data itself. */
  readonly compresses: boolean
  /** Other calls proceed while compact() runs. */
  readonly compactsOnline: boolean
  /** Longest encoded key in bytes. */
  readonly keyBytesMax: number
  /** What makes a commit durable, in words for people: 'WAL, fsync a commit'. */
  readonly durability: string
  /**
   * Disk bytes that a batch may take for each byte of its rows until the engine has moved them to
   * their final place.
   */
  readonly growth: number
  /**
   * Disk bytes to keep free, beside that, for deletions and the engine's background work when the
   * disk is nearly full.
   */
  readonly reserveBytes: number
}

/**
 * `bytes` on disk (all files), and the engine's own figures by name. Where known: `usedBytes` are
 * taken by rows once the log is merged, `freeBytes` can be reused for new rows, and `reservedBytes`
 * are preallocated behind the end of a file, so that the disk counts them as used.
 */
export interface StoreStats {
  readonly bytes: number
  readonly usedBytes?: number | undefined
  readonly freeBytes?: number | undefined
  readonly reservedBytes?: number | undefined
  readonly engine: Readonly<Record<string, number | string>>
}

type SqlValue = string | number | bigint | Uint8Array | null

/**
 * An SQL statement that returns no rows; run once for each of `rows`, whose values are bound to the
 * question marks.
 */
export interface SqlStatement {
  readonly sql: string
  readonly rows: readonly (readonly SqlValue[])[]
}

/**
 * Tables of another component in the same file as the collections: derived data, which a migration
 * does not copy. The owner reads them over its own connections, and closes those before the store.
 */
export interface Auxiliary {
  /** The path of the file. */
  readonly path: string
  /**
   * Runs statements in order as one transaction, after all commits and runs requested before it,
   * and resolves with the number of changed rows when other connections see the changes. Commits
   * queue behind it, so it should take milliseconds only. Unless `durable`, it is not synced until
   * the next commit: a crash of the host may undo it and all runs after it, but never a commit.
   * Rejects with StoreError and has then changed nothing; commits behind it are unaffected.
   */
  run(
    statements: readonly SqlStatement[],
    options?: { readonly durable?: boolean },
  ): Promise<number>
  /**
   * A port over which another thread can call `run` (sqlite/run-port.ts). The order of these runs
   * and of commits requested in this thread is undefined. Throws StoreError 'locked' on a vault
   * that is open for reading only.
   */
  connect(): MessagePort
}

export interface CompactOptions {
  /**
   * Rewrites all live data, so that no byte of deleted data is left in the vault's files. Commits
   * may have to wait for all of it. Rejects with StoreError 'busy' while a view is open.
   */
  readonly anew?: boolean
}

export interface Store {
  readonly traits: StoreTraits
  /** Given where the engine's file can hold other tables, too. */
  readonly auxiliary?: Auxiliary
  /**
   * The row with this whole key, or undefined. Sees every commit that has resolved, and no commit
   * in part.
   */
  get<R extends object>(collection: Collection<R>, key: Key): R | undefined
  scan<R extends object>(collection: Collection<R>, range: Range): R[]
  /**
   * `scan` of some columns only; the others (above all bytes) are not read. For walks over all
   * rows.
   */
  project<R extends object, F extends keyof R & string>(
    collection: Collection<R>,
    fields: readonly F[],
    range: Range,
  ): Pick<R, F>[]
  /**
   * Applies all changes as one atomic batch and resolves when it is durable. Rows and their bytes
   * are copied before the call returns. Commits apply in the order of the calls. Rejects with
   * StoreError and has then changed nothing.
   */
  commit(batch: Batch): Promise<void>
  /** A read-only store that keeps showing what is committed now. The caller closes it. */
  view(): Promise<Store>
  stats(): StoreStats
  /** Returns unused space to the host. The process may be killed at any point of it. */
  compact(options?: CompactOptions): Promise<void>
  /** The engine's own consistency check: findings, [] when sound. */
  verify(): Promise<string[]>
  /**
   * Waits for running commits and leaves the vault as one file where the engine can. Later calls
   * throw StoreError 'closed'.
   */
  close(): Promise<void>
}
