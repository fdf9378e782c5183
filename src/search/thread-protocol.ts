// What the main thread and the search thread say to each other. A call has an id, its answer the
// same one.

import type { MessagePort } from 'node:worker_threads'
import { StoreError, type StoreErrorKind } from '../store/store.ts'
import type { IndexStatus, Stretch } from './engine.ts'
import type { Item, VersionNumbers } from './index-writer.ts'
import { QuerySyntaxError } from './query.ts'
import type { Fragment } from './snippet.ts'
import type { Match } from './term-hits.ts'

/** Which engine, and where: within the vault's file, or in a folder of its own. */
export type EngineSpec =
  | { readonly kind: 'fts5'; readonly path: string; readonly cacheBytes: number }
  | { readonly kind: 'tantivy'; readonly folder: string; readonly readOnly: boolean }

/** workerData of worker.ts. */
export interface ThreadOptions {
  readonly engine: EngineSpec
  /** To the vault's own writer, for what is written into its file; see Auxiliary. */
  readonly writer: MessagePort | undefined
}

/** What is asked of the thread: arguments and answer of each method. */
export interface ThreadMethods {
  missing(asked: readonly VersionNumbers[]): Promise<number[][]>
  withOthers(asked: readonly VersionNumbers[]): Promise<number[]>
  piecesOf(ino: number, number: number): Promise<Stretch[] | undefined>
  nextPiece(): Promise<number>
  take(items: readonly Item[]): Promise<number>
  settle(watermark: number): Promise<void>
  tidy(from: number, limit: number): Promise<number>
  status(): Promise<IndexStatus>
  flush(): Promise<void>
  clear(): Promise<void>
  optimize(): Promise<void>
  /** Begins to look for a query, and returns a number for `next`. Throws QuerySyntaxError. */
  find(query: string, pastToo: boolean): Promise<number>
  /** The next best matches, at most `count`; fewer when there are no more. */
  next(search: number, count: number): Promise<Match[]>
  /** Which of these inodes match, in no order. */
  among(search: number, inos: readonly number[]): Promise<Match[]>
  /** Nobody asks for more. */
  done(search: number): Promise<void>
  /** Whether a query is true for a file with this text, where the index was not sure. */
  isTrue(query: string, ino: number, bytes: Uint8Array): Promise<boolean>
  /** Where a query is in a text. */
  fragments(query: string, bytes: Uint8Array, limit: number): Promise<Fragment[]>
  close(): Promise<void>
}

export type MethodName = keyof ThreadMethods

export interface ToThread {
  readonly id: number
  readonly method: MethodName
  readonly args: readonly unknown[]
}

export type FromThread =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: Failure }

/** The id of the answer that no call asked for: the engine is open, or could not be opened. */
export const READY_ID = 0

/** An error on its way to the other thread. */
export interface Failure {
  readonly message: string
  readonly kind: StoreErrorKind | undefined
  /** The engine's own error, where there is one: its code and its words. */
  readonly cause: { readonly code: string; readonly message: string } | undefined
  /** Of a wrong query. */
  readonly position: number | undefined
  readonly stack: string | undefined
}

export function failureOf(error: unknown): Failure {
  return {
    message: error instanceof Error ? error.message : String(error),
    kind: error instanceof StoreError ? error.kind : undefined,
    cause: causeOf(error),
    position: error instanceof QuerySyntaxError ? error.position : undefined,
    stack: error instanceof Error ? error.stack : undefined,
  }
}

function causeOf(error: unknown): Failure['cause'] {
  const cause = error instanceof Error ? error.cause : undefined
  if (!(cause instanceof Error) || !('code' in cause)) return undefined
  return { code: String(cause.code), message: cause.message }
}

/**
 * What the other thread threw. A wrong query is not thrown again as such: queries are parsed before
 * they are sent.
 */
export function errorOf({ message, kind, cause, stack }: Failure): Error {
  if (kind !== undefined) {
    const own = cause && Object.assign(new Error(cause.message), { code: cause.code })
    return new StoreError(kind, message, own && { cause: own })
  }
  const error = new Error(message)
  if (stack !== undefined) error.stack = stack
  return error
}
