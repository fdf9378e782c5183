// The thread that writes. It takes packed batches in the order they were posted and answers each
// when it is durable; between them it runs statements on tables that are not collections, keeps the
// write-ahead log short, and returns unused pages to the host. Started by commit-thread.ts; the
// messages are in commit-protocol.ts.
//
// The log is checkpointed explicitly, after the answer, so that no commit waits for its own
// checkpoint.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'
import {
  type Answer,
  CHECKPOINT_ID,
  type CommitOptions,
  type CommitRequest,
  READY_ID,
  type Request,
  type RunRequest,
} from './commit-protocol.ts'
import { failureOf, type SqliteFailure } from './errors.ts'
import { type PackedBatch, Unpacker, type Value } from './pack.ts'
import { PAGE_BYTES, tables } from './schema.ts'

/**
 * Above this, the log is checkpointed into the file: small enough that a commit behind it hardly
 * waits.
 */
const LOG_BYTES = 8 * 1024 * 1024
/**
 * Above this, the log could not be restarted because of readers, or held one large batch: wait for
 * readers and truncate it.
 */
const LOG_BYTES_MAX = 64 * 1024 * 1024
/**
 * How long a truncation waits for readers: ours are done within a turn of the event loop, a shell's
 * may never be.
 */
const CUT_TIMEOUT_MS = 100
const BUSY_TIMEOUT_MS = 5000
/** How long a truncation after a vacuum waits for readers. */
const VACUUM_CUT_MS = 5000
/** Number of statements of runs that are kept prepared. */
const STATEMENTS_MAX = 100
/** Pages per transaction of compact (4 MiB), so that commits run in between. */
const COMPACT_PAGES = 256

const port = parentPort
if (port === null) throw new Error('commit-worker.ts runs as a worker')
const { path, cacheBytes } = workerData as CommitOptions

const db = new Database(path, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS })
db.pragma('trusted_schema = off')
db.pragma('synchronous = full')
db.pragma('wal_autocheckpoint = 0')
db.pragma(`journal_size_limit = ${LOG_BYTES_MAX}`)
// Above this, dirty pages of a batch spill into the log before its commit.
db.pragma(`cache_size = ${-Math.ceil(cacheBytes / 1024)}`)
// Overwrites deleted bytes within pages that are written anyway. Pages that become free as a whole
// keep their bytes until compact has removed them.
db.pragma('secure_delete = fast')

const writes = new Map(
  [...tables].map(([name, { collection, put, remove }]) => [
    name,
    {
      types: collection.types,
      put: db.prepare(put),
      row: new Array<Value>(collection.fields.length),
      remove: db.prepare(remove),
      key: new Array<Value>(collection.keyLength),
    },
  ]),
)

/** Prepared statements of runs, by their SQL. */
const statements = new Map<string, Database.Statement>()
const totalChanges = db.prepare('select total_changes()').pluck()

/**
 * Commits with a lower number were posted before the last failure was known, and are refused: see
 * CommitThread.
 */
let attempt = 0
let lastFailure: SqliteFailure = { code: '', message: '' }
/** Whether the last checkpoint failed, so that a full disk is reported only once. */
let checkpointFailed = false
let closing = false
/** The log's length at which truncation is tried; raised while a shell's reader blocks it. */
let cutAt = LOG_BYTES_MAX

/** The shared buffers of the main thread's pool, by slot. */
const buffers: SharedArrayBuffer[] = []

const apply = db.transaction((packed: PackedBatch) => {
  const values = new Unpacker(packed, buffers[packed.slot] as SharedArrayBuffer)
  for (const part of packed.parts) {
    const write = writes.get(part.collection)
    if (write === undefined) throw new Error(`no collection is named ${part.collection}`)
    for (let i = 0; i < part.deletes; i++) {
      values.next(write.types, write.key)
      write.remove.run(write.key)
    }
    for (let i = 0; i < part.puts; i++) {
      values.next(write.types, write.row)
      write.put.run(write.row)
    }
  }
}).immediate

const runAll = db.transaction((statements: RunRequest['statements']) => {
  for (const { sql, rows } of statements) {
    // Prepared only now: it may refer to a table that the statement before it has created.
    const statement = prepared(sql)
    for (const row of rows) statement.run(...row)
  }
}).immediate

function prepared(sql: string): Database.Statement {
  const known = statements.get(sql)
  if (known !== undefined) return known
  if (statements.size >= STATEMENTS_MAX) statements.clear()
  const statement = db.prepare(sql)
  statements.set(sql, statement)
  return statement
}

// A transaction that is not synced lies in the log like any other, and the next commit's sync
// covers the log up to its own end. After a crash the log is read up to the first frame whose
// checksum, which includes those before it, is wrong: so no commit survives without all before it,
// and none that was synced is lost. It must be 'normal', not 'off': 'normal' still syncs the header
// of a restarted log, and whatever a checkpoint copies (sqlite.org/pragma.html#pragma_synchronous).
function runStatements({ id, statements, durable }: RunRequest): Answer {
  try {
    if (!durable) db.pragma('synchronous = normal')
    const before = Number(totalChanges.get())
    runAll(statements)
    return { id, changes: Number(totalChanges.get()) - before }
  } catch (error) {
    return { id, failure: failureOf(error) }
  } finally {
    db.pragma('synchronous = full')
  }
}

function commit(request: CommitRequest): Answer {
  const { id } = request
  const { slot, buffer } = request.batch
  if (buffer !== undefined) buffers[slot] = buffer
  if (request.attempt < attempt) {
    const message = `not tried, because a commit before it failed: ${lastFailure.message}`
    return { id, slot, failure: { code: lastFailure.code, message } }
  }
  try {
    apply(request.batch)
    return { id, slot }
  } catch (error) {
    attempt = request.attempt + 1
    lastFailure = failureOf(error)
    return { id, slot, failure: lastFailure }
  }
}

/** Checkpoints the log into the file if it is long. */
function checkpoint(): void {
  const [state] = db.pragma('wal_checkpoint(noop)') as { log: number }[]
  const bytes = (state?.log ?? 0) * PAGE_BYTES
  if (bytes < LOG_BYTES) {
    cutAt = LOG_BYTES_MAX
    return
  }
  db.pragma('wal_checkpoint(passive)')
  if (bytes < cutAt) return
  cutAt = cut() ? LOG_BYTES_MAX : bytes + LOG_BYTES_MAX / 4
}

function cut(): boolean {
  db.pragma(`busy_timeout = ${CUT_TIMEOUT_MS}`)
  const [done] = db.pragma('wal_checkpoint(truncate)') as { busy: number }[]
  db.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`)
  return done?.busy === 0
}

/**
 * Moves pages from the end of the file into free ones and shortens the file, some pages per turn.
 */
async function compact(): Promise<void> {
  while (!closing && Number(db.pragma('freelist_count', { simple: true })) > 0) {
    db.exec(`pragma incremental_vacuum(${COMPACT_PAGES})`)
    checkpoint()
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (!closing) cut()
}

/**
 * Rewrites all live pages, then truncates the log, so that nothing deleted is left in either. All
 * commits wait.
 */
function vacuum(): void {
  db.exec('vacuum')
  const end = performance.now() + VACUUM_CUT_MS
  while (!cut())
    if (performance.now() > end)
      throw Object.assign(
        new Error(
          'another program reads the vault as it was before; run this again when it is done',
        ),
        { code: 'SQLITE_BUSY' },
      )
}

/** Leaves a single file without a log, so that it can be read where nothing can be written. */
function close(): void {
  closing = true
  db.pragma('wal_checkpoint(truncate)')
  try {
    db.pragma('journal_mode = delete')
  } catch (error) {
    // Another process reads the vault: it removes the log when it is done.
    if (!failureOf(error).code.startsWith('SQLITE_BUSY')) throw error
  } finally {
    db.close()
  }
}

/**
 * A failed checkpoint has lost nothing: the log still holds everything, and the next commit tries
 * again.
 */
function checkpointAfterCommit(): void {
  try {
    checkpoint()
    checkpointFailed = false
  } catch (error) {
    if (!checkpointFailed) answer({ id: CHECKPOINT_ID, failure: failureOf(error) })
    checkpointFailed = true
  }
}

/** Ports of other threads. */
const others = new Set<MessagePort>()

function connect(other: MessagePort): void {
  others.add(other)
  other.on('message', (request: RunRequest) => {
    other.postMessage(runStatements(request))
    checkpointAfterCommit()
  })
  other.on('close', () => others.delete(other))
}

function answer(reply: Answer): void {
  port?.postMessage(reply)
}

async function run(request: Request): Promise<Answer> {
  try {
    if (request.kind === 'compact') await compact()
    else if (request.kind === 'vacuum') vacuum()
    else close()
    return { id: request.id }
  } catch (error) {
    return { id: request.id, failure: failureOf(error) }
  }
}

port.on('message', (request: Request) => {
  if (request.kind === 'connect') connect(request.port)
  else if (request.kind === 'commit' || request.kind === 'run') {
    answer(request.kind === 'commit' ? commit(request) : runStatements(request))
    checkpointAfterCommit()
  } else {
    run(request).then((reply) => {
      answer(reply)
      if (request.kind !== 'close') return
      for (const its of [...others, port]) its.close()
    })
  }
})

answer({ id: READY_ID })
