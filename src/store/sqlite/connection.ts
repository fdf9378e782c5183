// Opens a vault file with SQLite: creates a new one, refuses a file that is not a vault or is newer
// than this program, and turns the write-ahead log on. The only place that decides whether a file
// may be opened.

import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { log } from '../../base/log.ts'
import { StoreError } from '../store.ts'
import { failureOf, storeError } from './errors.ts'
import { APPLICATION_ID, createSchema, FORMAT, foreignPart, PAGE_BYTES, tables } from './schema.ts'

/**
 * How long a statement waits for another process that locks the file, for example a shell that
 * recovers its log.
 */
const BUSY_TIMEOUT_MS = 2000

/**
 * Bytes of SQLite's header to read: up to the read version, which is 2 for a file with a
 * write-ahead log.
 */
const HEAD_BYTES = 20
const VERSION_AT = 19
const WAL_VERSION = 2

interface ConnectionOptions {
  readonly create: boolean
  readonly readOnly: boolean
  readonly cacheBytes: number
}

/**
 * Opens the vault for reading. Unless `readOnly`, it is created (with `create`), the log that a
 * crash left is checkpointed and synced, and the log is on when this returns. Throws StoreError:
 * 'format' for what is not a vault or a newer one, 'io' when there is none, or with `create` when
 * there is one that has rows.
 */
export function openConnection(path: string, options: ConnectionOptions): Database.Database {
  try {
    return openOnce(path, options)
  } catch (error) {
    const { code } = failureOf(error instanceof Error ? error.cause : undefined)
    if (code !== 'SQLITE_READONLY_ROLLBACK') throw error
    rollBack(path)
    return openOnce(path, options)
  }
}

/**
 * Rolls back a transaction that a killed process was writing directly to the file: without a
 * write-ahead log, that is while it was closing.
 */
function rollBack(path: string): void {
  try {
    const db = new Database(path, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS })
    try {
      db.pragma('user_version')
    } finally {
      db.close()
    }
  } catch (error) {
    throw storeError(error)
  }
}

function openOnce(path: string, options: ConnectionOptions): Database.Database {
  const folder = dirname(path)
  if (!existsSync(folder)) throw new StoreError('io', `there is no folder ${folder}`)
  if (!options.create && !existsSync(path))
    throw new StoreError('io', `there is no vault at ${path}`)
  // A vacuum needs space for a copy: use the vault's folder, not one that SQLite chooses. SQLite
  // reads this once, at the first use.
  process.env.SQLITE_TMPDIR ??= folder
  if (existsSync(path) && isLogMissing(path))
    log(
      'warn',
      `${path} was in use when it was copied, or when the process that had it open was killed, and its log is not here: what was in that is missing, and the vault may be damaged; avfs vault check --deep tells. To copy a vault that is in use: avfs vault backup`,
    )
  let db: Database.Database | undefined
  try {
    // The vault holds files of all modes, so only its owner may read it.
    if (options.create && !existsSync(path)) closeSync(openSync(path, 'wx', 0o600))
    db = new Database(path, { readonly: options.readOnly, timeout: BUSY_TIMEOUT_MS })
    // A schema may come from anybody: let it call only SQLite's own harmless functions.
    db.pragma('trusted_schema = off')
    checkFormat(db, path, options.create)
    checkSchema(db, path)
    if (!options.readOnly) prepare(db)
    else standIn(db)
    db.pragma(`cache_size = ${-Math.ceil(options.cacheBytes / 1024)}`)
    db.pragma('query_only = on')
    return db
  } catch (error) {
    db?.close()
    if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_NOTADB')) {
      throw new StoreError('format', `${path} is not an avfs vault`, { cause: error })
    }
    throw storeError(error)
  }
}

/**
 * Whether the file's header says that it has a write-ahead log, and there is none. The header of a
 * file that was closed properly does not say so.
 */
function isLogMissing(path: string): boolean {
  // With a journal, the file was being closed: that is rolled back.
  if (['-wal', '-journal'].some((end) => existsSync(path + end))) return false
  const head = Buffer.alloc(HEAD_BYTES)
  const fd = openSync(path, 'r')
  try {
    return readSync(fd, head) === HEAD_BYTES && head[VERSION_AT] === WAL_VERSION
  } finally {
    closeSync(fd)
  }
}

function checkFormat(db: Database.Database, path: string, create: boolean): void {
  const application = db.pragma('application_id', { simple: true })
  const format = db.pragma('user_version', { simple: true }) as number
  if (application === APPLICATION_ID) {
    if (format > FORMAT) {
      throw new StoreError(
        'format',
        `${path} was written by a newer avfs: it has format ${format}, this one reads up to ${FORMAT}`,
      )
    }
    if (create && hasRows(db)) throw new StoreError('io', `there is a vault at ${path} already`)
    return
  }
  // A process that was killed before its one creating transaction leaves an empty file.
  const empty = db.prepare('select count(*) from sqlite_master').pluck().get() === 0
  if (application === 0 && empty && create) return
  throw new StoreError('format', `${path} is not an avfs vault`)
}

function checkSchema(db: Database.Database, path: string): void {
  const part = foreignPart(db)
  if (part === undefined) return
  throw new StoreError(
    'format',
    `${path} is no vault that avfs made, and is not opened: it has ${part}`,
  )
}

function hasRows(db: Database.Database): boolean {
  return [...tables.keys()].some((table) => {
    try {
      return db.prepare(`select 1 from "${table}" limit 1`).get() !== undefined
    } catch {
      // A table that this format has gained since the file was made.
      return false
    }
  })
}

function prepare(db: Database.Database): void {
  // Both only take effect before the first table is created.
  db.pragma(`page_size = ${PAGE_BYTES}`)
  db.pragma('auto_vacuum = incremental')
  db.pragma('synchronous = full')
  createSchema(db)
  db.pragma('journal_mode = wal')
  // A crash of the process alone leaves frames in the log that no fsync has covered. Whatever is
  // read from now on must be durable, so they are synced here.
  db.pragma('wal_checkpoint(truncate)')
}

/**
 * For a file that must not change: empty temporary tables in place of those that this format has
 * gained since the file was made.
 */
function standIn(db: Database.Database): void {
  const existing = new Set(db.prepare('select name from sqlite_master').pluck().all())
  for (const { collection, create } of tables.values())
    if (!existing.has(collection.name))
      db.exec((create[0] ?? '').replace('create table', 'create temp table'))
}
