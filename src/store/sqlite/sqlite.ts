// The SQLite engine: a vault is one SQLite file. Reads run on the calling thread, commits in a
// thread of their own, checks in another. Combines the parts in this folder to a Store.

import { statSync } from 'node:fs'
import Database from 'better-sqlite3'
import type { Collection, Key } from '../collections.ts'
import {
  type Auxiliary,
  type Batch,
  type CompactOptions,
  type Range,
  type SqlStatement,
  type Store,
  StoreError,
  type StoreStats,
} from '../store.ts'
import { CommitThread, startWorker } from './commit-thread.ts'
import { openConnection } from './connection.ts'
import { storeErrorOf } from './errors.ts'
import { Reader } from './reader.ts'
import { FORMAT, PAGE_BYTES } from './schema.ts'
import type { Verdict } from './verify-worker.ts'

interface SqliteOptions {
  /** Creates a vault; refuses an existing one that has rows. */
  readonly create?: boolean
  /**
   * Refuses commits and compact, changes no byte of the file, and shows what was committed at the
   * time of opening.
   */
  readonly readOnly?: boolean
  /** Page caches for reads, and for a quarter of it at most 32 MiB, of the commit thread. */
  readonly cacheBytes?: number
}

const CACHE_BYTES = 32 * 1024 * 1024
const WRITER_BYTES_MAX = 32 * 1024 * 1024

/**
 * Opens a vault file. Rejects with StoreError: 'io' where there is none, 'format' where the file is
 * not a vault or one of a newer avfs.
 */
export async function openSqlite(path: string, options: SqliteOptions = {}): Promise<Store> {
  const { create = false, readOnly = false, cacheBytes = CACHE_BYTES } = options
  const writerBytes = readOnly ? 0 : Math.min(WRITER_BYTES_MAX, cacheBytes / 4)
  const reader = new Reader(
    openConnection(path, { create, readOnly, cacheBytes: cacheBytes - writerBytes }),
    readOnly,
  )
  if (readOnly) return new SqliteStore(path, reader, undefined)
  try {
    const thread = await CommitThread.start(path, writerBytes, () => reader.refresh())
    return new SqliteStore(path, reader, thread)
  } catch (error) {
    reader.close()
    throw error
  }
}

/** 'SQLite 3.50.4' */
export function sqliteVersion(): string {
  const db = new Database(':memory:')
  try {
    return `SQLite ${db.prepare('select sqlite_version()').pluck().get()}`
  } finally {
    db.close()
  }
}

class SqliteStore implements Store {
  readonly traits = {
    backend: 'sqlite',
    synchronous: true,
    persistent: true,
    compresses: false,
    compactsOnline: true,
    // SQLITE_MAX_LENGTH; no key comes near this limit.
    keyBytesMax: 1_000_000_000,
    durability: 'write-ahead log, one fsync a commit',
    growth: 2,
    reserveBytes: 24 * 1024 * 1024,
  }
  readonly auxiliary: Auxiliary
  readonly #path: string
  readonly #reader: Reader
  readonly #thread: CommitThread | undefined
  #lastCommit: Promise<void> = Promise.resolve()
  #closing: Promise<void> | undefined

  constructor(path: string, reader: Reader, thread: CommitThread | undefined) {
    this.auxiliary = {
      path,
      run: (statements, { durable = false } = {}) => this.#run(statements, durable),
      connect: () => {
        this.#assertOpen()
        return this.#writable().connect()
      },
    }
    this.#path = path
    this.#reader = reader
    this.#thread = thread
  }

  get<R extends object>(collection: Collection<R>, key: Key): R | undefined {
    this.#assertOpen()
    return this.#reader.get(collection, key)
  }

  scan<R extends object>(collection: Collection<R>, range: Range): R[] {
    this.#assertOpen()
    return this.#reader.scan(collection, range)
  }

  project<R extends object, F extends keyof R & string>(
    collection: Collection<R>,
    fields: readonly F[],
    range: Range,
  ): Pick<R, F>[] {
    this.#assertOpen()
    return this.#reader.project(collection, fields, range)
  }

  async commit(batch: Batch): Promise<void> {
    this.#assertOpen()
    const thread = this.#writable()
    // An empty batch writes nothing, but resolves only when all before it is durable.
    if (batch.every(({ puts, deletes }) => puts.length + deletes.length === 0))
      return this.#lastCommit
    const commit = thread.commit(batch)
    this.#lastCommit = commit
    return commit
  }

  async #run(statements: readonly SqlStatement[], durable: boolean): Promise<number> {
    this.#assertOpen()
    return this.#writable().run(statements, durable)
  }

  async view(): Promise<Store> {
    this.#assertOpen()
    return openSqlite(this.#path, { readOnly: true })
  }

  stats(): StoreStats {
    this.#assertOpen()
    const file = sizeOf(this.#path)
    const wal = sizeOf(`${this.#path}-wal`)
    const freePages = this.#reader.fact('freelist_count')
    const pages = this.#reader.fact('page_count')
    return {
      bytes: file + wal + sizeOf(`${this.#path}-shm`),
      usedBytes: Number(pages - freePages) * PAGE_BYTES,
      freeBytes: Number(freePages) * PAGE_BYTES,
      engine: {
        format: FORMAT,
        fileBytes: file,
        walBytes: wal,
        pageBytes: PAGE_BYTES,
        pages,
        freePages,
      },
    }
  }

  async compact({ anew = false }: CompactOptions = {}): Promise<void> {
    this.#assertOpen()
    const thread = this.#writable()
    return anew ? thread.vacuum() : thread.compact()
  }

  async verify(): Promise<string[]> {
    this.#assertOpen()
    return verify(this.#path)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#reader.close()
    await this.#thread?.close()
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new StoreError('closed', 'the vault is closed')
  }

  #writable(): CommitThread {
    if (this.#thread === undefined)
      throw new StoreError('locked', 'the vault is open for reading only')
    return this.#thread
  }
}

/** Runs integrity_check in a thread of its own: findings, [] when sound. */
function verify(path: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const worker = startWorker('verify-worker', { path })
    worker.once('message', ({ findings, failure }: Verdict) => {
      if (failure === undefined) resolve([...findings])
      else reject(storeErrorOf(failure))
    })
    worker.once('error', reject)
    worker.once('exit', () =>
      reject(new StoreError('io', 'the thread that checks the vault has ended')),
    )
  })
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
