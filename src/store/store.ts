// What a vault asks of an engine: get, scan, commit and a little housekeeping over collections.
// Nothing here or below knows what a row means. Every adapter passes test/store/suite.ts.

import type { MessagePort } from 'node:worker_threads'
import { hasChanged } from '../base/step.ts'
import type { Collection, Key } from './collections.ts'

/** unavailable: the engine cannot be loaded here. */
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
 * An engine that cannot do what was asked; `message` says what to do, `cause` is the engine's own
 * error.
 */
export class StoreError extends Error {
  readonly kind: StoreErrorKind
  constructor(kind: StoreErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreError'
    this.kind = kind
  }
}

/** The error for what no row can have. */
export function corrupt(what: string): StoreError {
  return new StoreError('corrupt', `the vault is damaged: ${what}; run avfs vault check --deep`)
}

/**
 * Thrown by a get or scan that an engine cannot answer synchronously. Whoever runs the operation
 * awaits `load` and runs it again from its start; the same read then answers from memory. Making
 * one in a step that has changed something already is a bug (base/step.ts), and throws an error
 * that says so.
 */
export class Fault extends Error {
  readonly load: () => Promise<void>
  /** Nothing is missing: it is others' turn. */
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
 * Rows with gte <= key < lt in key order (reverse: downwards), at most `limit`. Bounds may be
 * shorter than a key: they are compared component by component, and a bound that is a prefix of a
 * key sorts before it. So all rows below directory 5 are {gte: [5], lt: [6]}.
 */
export interface Range {
  readonly gte?: Key
  readonly lt?: Key
  readonly reverse?: boolean
  readonly limit: number
}

/** The limit of a range that is read as a whole. */
export const ALL = Number.MAX_SAFE_INTEGER

/**
 * Changes to one collection: rows to put (insert or replace) and keys to delete (missing ones are
 * no error). A key occurs once.
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
  /** Survives the process; false for memory. */
  readonly persistent: boolean
  /** The engine compresses by itself. */
  readonly compresses: boolean
  /** compact() lets other calls go on meanwhile. */
  readonly compactsOnline: boolean
  /** Longest encoded key in bytes. */
  readonly keyBytesMax: number
  /** What makes a commit durable, for people: 'WAL, fsync a commit'. */
  readonly durability: string
  /**
   * What a batch may take on the disk, a byte of its rows, until the engine has put them where they
   * stay.
   */
  readonly growth: number
  /**
   * What deletions, and all that the engine does in the background, may take beside that on a disk
   * that is nearly full.
   */
  readonly reserveBytes: number
}

/**
 * `bytes` on disk (all files), and the engine's own figures by name. Where they are known:
 * `usedBytes` of what rows take, once there is no log beside them, `freeBytes` of those that new
 * rows can take, and `reservedBytes` behind the end of a file that are the vault's already, so that
 * the disk counts them as used.
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
 * A statement of SQL that answers nothing, run once for each of `rows` with its values in place of
 * the question marks.
 */
export interface SqlStatement {
  readonly sql: string
  readonly rows: readonly (readonly SqlValue[])[]
}

/**
 * Tables of someone else's that lie in the same file as the collections: derived data, which a
 * migration leaves behind. The owner reads them over connections of its own, and closes those
 * before the store.
 */
export interface Auxiliary {
  /** The file. */
  readonly path: string
  /**
   * Runs statements in their order as one transaction, after all commits and runs that were asked
   * for before, and resolves when other connections see it, with the number of rows that changed.
   * Commits wait behind it: it should take milliseconds. Unless `durable`, it is synced with the
   * next commit and no sooner: a crash of the host may take it back, with all that came after it,
   * and never a commit. Rejects with StoreError and has changed nothing then; commits behind it are
   * not refused.
   */
  run(
    statements: readonly SqlStatement[],
    options?: { readonly durable?: boolean },
  ): Promise<number>
  /**
   * The end of a channel that another thread makes its `run` of (sqlite/run-port.ts). Commits that
   * are asked for here and what it runs there are in no order. Throws StoreError 'locked' on a
   * vault that is open for reading only.
   */
  connect(): MessagePort
}

export interface CompactOptions {
  /**
   * Writes everything that stays anew, so that no byte of what was deleted is left in the vault's
   * files. Commits may have to wait for all of it. Rejects with StoreError 'busy' while somebody
   * reads the vault as it was before.
   */
  readonly anew?: boolean
}

export interface Store {
  readonly traits: StoreTraits
  /** Where the engine's file takes other tables, too. */
  readonly auxiliary?: Auxiliary
  /**
   * The row with this whole key, or undefined. Sees every commit that has resolved, and none in
   * part.
   */
  get<R extends object>(collection: Collection<R>, key: Key): R | undefined
  scan<R extends object>(collection: Collection<R>, range: Range): R[]
  /**
   * `scan` of some columns alone, which leaves the others (above all bytes) unread: for walks over
   * all rows.
   */
  project<R extends object, F extends keyof R & string>(
    collection: Collection<R>,
    fields: readonly F[],
    range: Range,
  ): Pick<R, F>[]
  /**
   * Applies all changes as one atomic batch and resolves when it is durable. Rows and their bytes
   * are copied before the call returns. Commits apply in the order of the calls. Rejects with
   * StoreError and has changed nothing then.
   */
  commit(batch: Batch): Promise<void>
  /**
   * What is committed now as a store that refuses commits, whatever is committed later. Its owner
   * closes it.
   */
  view(): Promise<Store>
  stats(): StoreStats
  /** Gives unused space back to the host. May be killed anywhere. */
  compact(options?: CompactOptions): Promise<void>
  /** The engine's own consistency check: findings, [] when sound. */
  verify(): Promise<string[]>
  /**
   * Waits for running commits, leaves the vault as one file where the engine can. Later calls throw
   * StoreError 'closed'.
   */
  close(): Promise<void>
}
