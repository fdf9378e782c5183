// The thread that writes: takes packed batches in the order they were posted, answers each when it
// is durable, runs statements on tables that are no collections between them, keeps the write-ahead
// log short, and gives unused pages back. Started by commit-thread.ts; commit-protocol.ts says what
// is spoken.
//
// The log is checkpointed by hand, after the answer, so that no commit waits for its own
// checkpoint.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'
import {
  type Answer,
  CHECKPOINT_ID,
  type CommitRequest,
  READY_ID,
  type Request,
  type RunRequest,
  type WorkerOptions,
} from './commit-protocol.ts'
import { failureOf, type SqliteFailure } from './errors.ts'
import { type PackedBatch, Unpacker, type Value } from './pack.ts'
import { PAGE_BYTES, tables } from './schema.ts'

/** Dirty pages of one batch beyond this spill into the log before its commit. */
const CACHE_BYTES = 32 * 1024 * 1024
/**
 * The log is copied into the file beyond this: short enough that a commit behind it hardly waits.
 */
const LOG_BYTES = 8 * 1024 * 1024
/**
 * Beyond this the log could not be restarted for readers, or held one large batch: wait for them
 * and cut it.
 */
const LOG_BYTES_MAX = 64 * 1024 * 1024
/**
 * How long a cut waits for readers: ours are done within a turn of the event loop, a shell's may
 * never be.
 */
const CUT_TIMEOUT_MS = 100
const BUSY_TIMEOUT_MS = 5000
/** How long a log that must go waits for readers. */
const VACUUM_CUT_MS = 5000
/** So many statements of runs are kept prepared. */
const STATEMENTS_MAX = 100
/** 4 MiB a transaction while compacting, so that commits come in between. */
const COMPACT_PAGES = 256

const port = parentPort
if (port === null) throw new Error('commit-worker.ts runs as a worker')
const { path } = workerData as WorkerOptions

const db = new Database(path, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS })
db.pragma('trusted_schema = off')
db.pragma('synchronous = full')
db.pragma('wal_autocheckpoint = 0')
db.pragma(`journal_size_limit = ${LOG_BYTES_MAX}`)
db.pragma(`cache_size = ${-CACHE_BYTES / 1024}`)
// What is deleted from a page is overwritten there, which costs no page more. Pages that become
// free as a whole keep their bytes until compact has none of them left.
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

/** The statements of runs, by their SQL. */
const statements = new Map<string, Database.Statement>()
const totalChanges = db.prepare('select total_changes()').pluck()

/**
 * Commits with a lower number were posted before the failure was known, and are refused: see
 * CommitThread.
 */
let attempt = 0
let lastFailure: SqliteFailure = { code: '', message: '' }
/** Whether the last checkpoint failed, so that a full disk is reported once. */
let checkpointFailed = false
let closing = false
/** The log's length at which a cut is tried; moves up while a shell's reader makes cuts fail. */
let cutAt = LOG_BYTES_MAX

/** The buffers of the main thread's pool, by slot. */
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
    // Not before its turn: a statement may be about a table that the one before it makes.
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

// A transaction that is not synced lies in the log like any other, and the sync of the next commit
// syncs the log up to its own end. A log that was torn by a crash is read up to its first frame
// whose checksum is wrong, and each checksum takes in those before it: so no commit is there
// without all before it, and none that was synced is lost. It must be 'normal', not 'off': 'normal'
// still syncs the head of a log that begins anew, and whatever a checkpoint copies
// (sqlite.org/pragma.html#pragma_synchronous).
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

/** Brings the log into the file when it got long. */
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

/** Moves pages from the end of the file into its holes and shortens it, a piece a turn. */
async function compact(): Promise<void> {
  while (!closing && Number(db.pragma('freelist_count', { simple: true })) > 0) {
    db.exec(`pragma incremental_vacuum(${COMPACT_PAGES})`)
    checkpoint()
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (!closing) cut()
}

/**
 * Writes every page anew, of what stays alone, then empties the log, so that nothing of what was
 * deleted is left in either. All commits wait behind it.
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

/** Leaves one file: without a log, so that it can be read where nothing may be written. */
function close(): void {
  closing = true
  db.pragma('wal_checkpoint(truncate)')
  try {
    db.pragma('journal_mode = delete')
  } catch (error) {
    // Another process reads the vault: it takes the log away when it is done.
    if (!failureOf(error).code.startsWith('SQLITE_BUSY')) throw error
  } finally {
    db.close()
  }
}

/**
 * A checkpoint that fails has lost nothing: the log still holds all, and the next commit tries
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
