// SQLite's result codes as StoreError kinds, in both threads: an error crosses the thread boundary
// as code and message.

import { StoreError, type StoreErrorKind } from '../store.ts'

/**
 * An error of SQLite as it crosses threads; `code` as in SQLITE_IOERR_FSYNC, '' for an error that
 * is not SQLite's.
 */
export interface SqliteFailure {
  readonly code: string
  readonly message: string
}

const kinds: readonly (readonly [prefix: string, kind: StoreErrorKind, advice: string])[] = [
  ['SQLITE_FULL', 'full', 'the disk that holds the vault is full'],
  ['SQLITE_CORRUPT', 'corrupt', 'the vault is damaged: run avfs vault check --deep'],
  ['SQLITE_NOTADB', 'corrupt', 'the vault is damaged: run avfs vault check --deep'],
  ['SQLITE_BUSY', 'busy', 'another program holds the vault'],
  ['SQLITE_LOCKED', 'busy', 'another program holds the vault'],
  ['SQLITE_READONLY_DBMOVED', 'io', 'the vault was moved or deleted while it was open'],
  ['SQLITE_READONLY', 'locked', 'the vault may not be written'],
]

/** The part of an error that can cross threads. */
export function failureOf(error: unknown): SqliteFailure {
  if (!(error instanceof Error)) return { code: '', message: String(error) }
  const code = 'code' in error ? String(error.code) : ''
  return { code, message: code === '' ? (error.stack ?? error.message) : error.message }
}

/** The StoreError for an error of SQLite; a StoreError is returned as it is. */
export function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  return storeErrorOf(failureOf(error), error)
}

/** The StoreError for a failure; `cause` is the original error, if it is available. */
export function storeErrorOf(failure: SqliteFailure, cause?: unknown): StoreError {
  const found = kinds.find(([prefix]) => failure.code.startsWith(prefix))
  const kind = found?.[1] ?? 'io'
  const advice = found?.[2] ?? 'the vault cannot be read or written'
  const message = `${advice} (${failure.code === '' ? '' : `${failure.code}: `}${failure.message})`
  return new StoreError(kind, message, cause === undefined ? undefined : { cause })
}
