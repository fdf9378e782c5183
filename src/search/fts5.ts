// The index inside a vault on SQLite: FTS5 tables in the same file. Reads go over a connection of its own, in the thread that
// runs this; writes are handed to the vault's commit thread by `run`, in pieces that commits can wait for. Knows words, not
// where they come from.
//
// One write at a time: a batch, then merges for what it wrote, then the next; each is a short transaction of its own, between
// which commits go on. When batches come faster than they are written, many of them are merged at once: four by four each
// word would be written more often.

import Database from 'better-sqlite3'
import { failureOf, storeError } from '../store/sqlite/errors.ts'
import { type Auxiliary, type SqlStatement, StoreError } from '../store/store.ts'
import {
  type Hit,
  type IndexBatch,
  type IndexStatus,
  PIECES_FROM,
  type Plan,
  type SearchEngine,
  type Stretch,
  type TextVersion,
} from './engine.ts'
import { matchOf } from './fts5-plan.ts'
import {
  create,
  FORMAT,
  merge,
  mergeAll,
  type Next,
  recreate,
  statementsOf,
  touch,
  WORD_TABLES,
} from './fts5-schema.ts'

export interface Fts5Options {
  /**
   * So many of the documents that a plan finds are ranked, those with the highest ids; the others come behind them. Ranking
   * takes most of the time of a search for common words.
   */
  readonly rankedMax?: number
  /** Of the page cache. */
  readonly cacheBytes?: number
}

const BUSY_TIMEOUT_MS = 2000
/** Batches that are not merged: beyond, the next one waits for that, since a search looks into each. */
const UNMERGED_MAX = 64
/** Of a page of FTS5, and of a row of the other tables with its part of their indexes. */
const WORD_PAGE_BYTES = 4050
const TEXT_BYTES = 100
const VERSION_BYTES = 40
const FILE_BYTES = 20
const STRETCH_BYTES = 60
/** The first pages of all tables and their indexes. */
const FIRST_PAGES_BYTES = 15 * 16384

/**
 * Opens the index in the vault at `path`, whose store is open in this process or which nobody writes. `run` is that of the
 * store's Auxiliary, or hands over to it. The tables are made with the first batch; until then the index is empty. Close it
 * before the store. Throws StoreError.
 */
export function openFts5(
  path: string,
  run: Auxiliary['run'],
  { rankedMax = 20_000, cacheBytes = 32 * 1024 * 1024 }: Fts5Options = {},
): SearchEngine {
  try {
    const db = new Database(path, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS })
    db.pragma('trusted_schema = off')
    db.pragma(`cache_size = ${-Math.ceil(cacheBytes / 1024)}`)
    return new Fts5Engine(db, run, rankedMax)
  } catch (error) {
    throw storeError(error)
  }
}

type Value = number | string | Uint8Array

class Fts5Engine implements SearchEngine {
  readonly #db: Database.Database
  readonly #run: Auxiliary['run']
  readonly #rankedMax: number
  readonly #statements = new Map<string, Database.Statement>()
  readonly #atOnce: (body: () => unknown) => unknown
  #tail: Promise<unknown> = Promise.resolve()
  /** Writes that wait for their turn; merges wait for them. */
  #waiting = 0
  #unmerged = 0
  #hasTables = false
  #closing: Promise<void> | undefined

  constructor(db: Database.Database, run: Auxiliary['run'], rankedMax: number) {
    this.#db = db
    this.#atOnce = db.transaction((body: () => unknown) => body())
    this.#run = run
    this.#rankedMax = rankedMax
  }

  async apply(batch: IndexBatch): Promise<void> {
    this.#assertOpen()
    const statements = statementsOf(batch)
    const applied = this.#enqueue(async () => {
      await this.#write([...(this.#isThere() ? [] : create), ...statements])
      this.#unmerged++
    })
    // Enqueued at once, so that it runs before the next batch. After a failure the next batch tries again.
    this.#behind(() => this.#merge()).catch(() => {})
    await applied
  }

  async flush(): Promise<void> {
    this.#assertOpen()
    await this.#enqueue(async () => {
      if (this.#isThere()) await this.#write([touch], true)
    })
  }

  textsWith(hashes: readonly Uint8Array[]): (number | undefined)[] {
    return this.#read(
      hashes.map(() => undefined),
      () =>
        hashes.map(
          (hash) =>
            this.#rows<{ id: number }>('select id from search_text where hash = ? limit 1', [
              hash,
            ])[0]?.id,
        ),
    )
  }

  query(plan: Plan, limit: number, offset: number): Hit[] {
    return this.#best(plan, false, limit, offset)
  }

  queryPieces(plan: Plan, limit: number, offset: number): Hit[] {
    return this.#best(plan, true, limit, offset)
  }

  #best(plan: Plan, ofPieces: boolean, limit: number, offset: number): Hit[] {
    return this.#find(plan, (table, expression) => {
      const least = ofPieces ? PIECES_FROM : 0
      const most = ofPieces || table === 'search_path' ? Number.MAX_SAFE_INTEGER : PIECES_FROM - 1
      const ids = `rowid between ${least} and ${most}`
      const found = `from ${table} where ${table} match ? and ${ids} order by rowid desc`
      const ranked = this.#rows<Hit>(
        `select id, score from (select rowid as id, -bm25(${table}) as score ${found} limit ?) order by score desc, id limit ? offset ?`,
        [expression, this.#rankedMax, limit, offset],
      )
      const end = offset + ranked.length
      if (ranked.length === limit || end < this.#rankedMax) return ranked
      const others = this.#rows<Hit>(`select rowid as id, 0 as score ${found} limit ? offset ?`, [
        expression,
        limit - ranked.length,
        end,
      ])
      return [...ranked, ...others]
    })
  }

  among(plan: Plan, ids: readonly number[]): Hit[] {
    if (ids.length === 0) {
      this.#assertOpen()
      return []
    }
    const [least, most] = [
      ids.reduce((a, b) => Math.min(a, b)),
      ids.reduce((a, b) => Math.max(a, b)),
    ]
    // With the plus it goes once through what the plan finds; without, it would begin anew for each id.
    return this.#find(plan, (table, expression) =>
      this.#rows<Hit>(
        `select rowid as id, -bm25(${table}) as score from ${table} where ${table} match ? and rowid >= ? and rowid <= ? and +rowid in (select value from json_each(?))`,
        [expression, least, most, JSON.stringify(ids)],
      ),
    )
  }

  versionsOf(text: number): TextVersion[] {
    return this.#readOnce([], () =>
      this.#rows<TextVersion>(
        'select ino, number, text from search_version where text = ? and text > 0 order by ino, number',
        [text],
      ),
    )
  }

  textOf(ino: number, number: number): number | undefined {
    return this.#readOnce(
      undefined,
      () =>
        this.#rows<{ text: number }>(
          'select text from search_version where ino = ? and number = ?',
          [ino, number],
        )[0]?.text,
    )
  }

  versionsOfFile(ino: number): TextVersion[] {
    return this.#readOnce([], () =>
      this.#rows<TextVersion>(
        'select ino, number, text from search_version where ino = ? order by number',
        [ino],
      ),
    )
  }

  stretches(ids: readonly number[]): Stretch[] {
    return this.#readOnce([], () =>
      this.#rows<Stretch>(
        `select ${STRETCH} from search_stretch where id in (select value from json_each(?))`,
        [JSON.stringify(ids)],
      ),
    )
  }

  stretchesOfFile(ino: number): Stretch[] {
    return this.#readOnce([], () =>
      this.#rows<Stretch>(`select ${STRETCH} from search_stretch where ino = ? order by id`, [ino]),
    )
  }

  unusedTexts(from: number, limit: number): number[] {
    return this.#readOnce([], () =>
      this.#rows<{ id: number }>(
        'select id from search_text where id >= ? and not exists (select 1 from search_version where text = search_text.id and text > 0) order by id limit ?',
        [from, limit],
      ).map(({ id }) => id),
    )
  }

  status(): IndexStatus {
    const none = {
      ...{ texts: 0, files: 0, versions: 0, watermark: 0 },
      ...{ nextText: 1, nextPiece: PIECES_FROM, bytes: 0 },
    }
    return this.#read(none, () => {
      const [row] = this.#rows<Omit<IndexStatus, 'bytes'> & { pages: number; stretches: number }>(
        STATUS,
        [],
      )
      if (row === undefined) return none
      const { pages, stretches, ...status } = row
      const rows =
        status.texts * TEXT_BYTES +
        status.versions * VERSION_BYTES +
        status.files * FILE_BYTES +
        stretches * STRETCH_BYTES
      return { ...status, bytes: FIRST_PAGES_BYTES + pages * WORD_PAGE_BYTES + rows }
    })
  }

  async clear(): Promise<void> {
    this.#assertOpen()
    await this.#enqueue(async () => this.#write(recreate(this.#next())))
  }

  async optimize(): Promise<void> {
    this.#assertOpen()
    for (const table of WORD_TABLES) {
      let step = mergeAll(table)
      // Each in its turn, so that batches come in between.
      for (let changes = 2; changes >= 2 && this.#closing === undefined; step = merge(table))
        changes = await this.#enqueue(async () => (this.#isThere() ? this.#write([step]) : 0))
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#tail.then(
      () => void this.#db.close(),
      () => void this.#db.close(),
    )
    return this.#closing
  }

  async #merge(): Promise<void> {
    for (const table of WORD_TABLES)
      for (let changes = 2; changes >= 2; changes = await this.#write([merge(table)]))
        if (this.#closing !== undefined || (this.#waiting > 0 && this.#unmerged < UNMERGED_MAX))
          return
    this.#unmerged = 0
  }

  /** Runs a write behind those before it, whether they fail or not. */
  #enqueue<T>(write: () => Promise<T>): Promise<T> {
    this.#waiting++
    return this.#behind(() => {
      this.#waiting--
      return write()
    })
  }

  #behind<T>(write: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(write)
    this.#tail = turn.catch(() => {})
    return turn
  }

  async #write(statements: readonly SqlStatement[], durable = false): Promise<number> {
    try {
      return await this.#run(statements, { durable })
    } catch (error) {
      // It comes from another thread, which gives no more than a kind and a message.
      if (!(error instanceof StoreError)) throw error
      throw DAMAGE.test(error.message) ? damaged(error) : error
    }
  }

  #next(): Next {
    const none = { text: 1, piece: PIECES_FROM }
    try {
      const sql = 'select next_text as text, next_piece as piece from search_state'
      return this.#rows<Next>(sql, [])[0] ?? none
    } catch {
      return none
    }
  }

  #find(plan: Plan, find: (table: string, expression: string) => Hit[]): Hit[] {
    this.#assertOpen()
    const { table, expression } = matchOf(plan)
    return this.#read([], () => find(table, expression))
  }

  /** All that `body` reads is of one moment. `none` is the answer of an index that was never written. */
  #read<T>(none: T, body: () => T): T {
    return this.#readOnce(none, () => this.#atOnce(body) as T)
  }

  /** `read` for a single statement, which is of one moment by itself: indexing asks thousands of them. */
  #readOnce<T>(none: T, body: () => T): T {
    this.#assertOpen()
    try {
      return this.#isThere() ? body() : none
    } catch (error) {
      throw this.#told(error)
    }
  }

  #rows<R>(sql: string, values: readonly Value[]): R[] {
    const known = this.#statements.get(sql)
    const statement = known ?? this.#db.prepare(sql)
    if (known === undefined) this.#statements.set(sql, statement)
    return statement.all(...values) as R[]
  }

  /** Whether an index was ever written. Throws StoreError 'corrupt' for one of another format. */
  #isThere(): boolean {
    if (this.#hasTables) return true
    const [table] = this.#rows("select 1 from sqlite_master where name = 'search_state'", [])
    if (table === undefined) return false
    const [state] = this.#rows<{ format: number }>('select format from search_state', [])
    if (state?.format !== FORMAT)
      throw new StoreError(
        'corrupt',
        `the index has format ${state?.format}, not ${FORMAT}: ${REBUILD}`,
      )
    this.#hasTables = true
    return true
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new StoreError('closed', 'the index is closed')
  }

  /** An error of a read as callers of an index know it. */
  #told(error: unknown): unknown {
    if (error instanceof StoreError) return error
    const { code, message } = failureOf(error)
    if (code === 'SQLITE_ERROR' && message.startsWith('fts5'))
      return new StoreError('io', `the search is too large: ${message}`, { cause: error })
    return DAMAGE.test(code) ? damaged(error) : storeError(error)
  }
}

/** The SQL is always right, and keys are new: if a table says otherwise, it is not as it was made. */
const DAMAGE = /\bSQLITE_(CORRUPT|ERROR|CONSTRAINT)/

function damaged(cause: unknown): StoreError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new StoreError('corrupt', `the index is damaged (${why}): ${REBUILD}`, { cause })
}

const REBUILD = 'run avfs search --rebuild'

// The pages of each segment are numbered, and each page that begins with a word is in the idx table of its FTS5 table.
const pagesOf = (table: string): string =>
  `(select coalesce(sum(pages), 0) from (select max(pgno >> 1) - min(pgno >> 1) + 1 as pages from ${table}_idx group by segid))`

const STRETCH = 'id, ino, first, last, start, "end"'

const STATUS = `select
  (select count(*) from search_text) as texts,
  (select count(*) from search_path_docsize) as files,
  (select count(*) from search_version) as versions,
  (select count(*) from search_stretch) as stretches,
  watermark,
  next_text as nextText,
  next_piece as nextPiece,
  ${WORD_TABLES.map(pagesOf).join(' + ')} as pages
from search_state`
