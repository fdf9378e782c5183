// get and scan on the main thread: makes SQL for each shape of call, and returns rows with names
// and digests as byte strings. Knows nothing of commits, but refresh() must be called before a
// commit is reported.
//
// Reads in one turn of the event loop share a read transaction: with one transaction per statement
// they cost three times as much. It ends with the turn, so that it does not delay checkpoints for
// longer. A reader of a view or a read-only vault keeps its first transaction to the end.

import type { Database, Statement } from 'better-sqlite3'
import type { Collection, ColumnType, Key, KeyPart } from '../collections.ts'
import { corrupt, type Range } from '../store.ts'
import { storeError } from './errors.ts'
import { type Table, tableOf } from './schema.ts'

type Row = Record<string, unknown>
type Query = Statement<unknown[], Row>

/** A query, and a variant that returns names as blobs. */
interface Shape {
  readonly plain: Query
  exact: Query | undefined
}

/** What the decoder has to know of a collection. */
interface Decoding {
  readonly table: Table
  readonly fields: readonly string[]
  readonly names: readonly string[]
  readonly digests: readonly string[]
  readonly shapes: Map<number, Shape>
}

/**
 * The character that SQLite's strings have in place of bytes that are not UTF-8 (or that the bytes
 * may really contain).
 */
const REPLACEMENT = '\ufffd'
const notAscii = /[^\0-\x7f]/
/**
 * Bits of a shape's number that hold the number of components of a bound: up to 7, 0 for no bound.
 */
const BOUND_BITS = 3

/** Reads rows over its own connection; get and scan are described in Store. */
export class Reader {
  readonly #db: Database
  readonly #decodings = new Map<string, Decoding>()
  readonly #begin: Statement
  readonly #end: Statement
  readonly #release = () => this.refresh()
  readonly #still: boolean
  #reading = false

  /**
   * Takes over the connection. With `still`, all reads show what is committed now, until it is
   * closed.
   */
  constructor(db: Database, still: boolean) {
    this.#db = db
    this.#still = still
    this.#begin = db.prepare('begin')
    this.#end = db.prepare('rollback')
    // A transaction's snapshot is taken at its first read, not at its begin.
    if (still) this.#read(() => db.prepare('select count(*) from sqlite_master').get())
  }

  get<R extends object>(collection: Collection<R>, key: Key): R | undefined {
    const decoding = this.#decodingOf(collection)
    // -1 stands for get: the shapes of scans are positive.
    const shape = decoding.shapes.get(-1) ?? this.#makeShape(decoding, -1, getQuery(decoding.table))
    return this.#run(decoding, shape, bind(collection.types, key))[0] as R | undefined
  }

  scan<R extends object>(collection: Collection<R>, range: Range): R[] {
    return this.#scan(this.#decodingOf(collection), range) as R[]
  }

  project<R extends object, F extends keyof R & string>(
    collection: Collection<R>,
    fields: readonly F[],
    range: Range,
  ): Pick<R, F>[] {
    return this.#scan(this.#decodingOf(collection, fields), range) as Pick<R, F>[]
  }

  #scan(decoding: Decoding, range: Range): Row[] {
    const { gte = [], lt = [], reverse = false } = range
    const { types } = decoding.table.collection
    const number = (((gte.length << BOUND_BITS) | lt.length) << 1) | (reverse ? 1 : 0)
    const shape =
      decoding.shapes.get(number) ??
      this.#makeShape(
        decoding,
        number,
        scanQuery(decoding.table, gte.length, lt.length, reverse, decoding.fields),
      )
    const values = bind(types, gte)
    values.push(...bind(types, lt), Math.min(range.limit, Number.MAX_SAFE_INTEGER))
    return this.#run(decoding, shape, values)
  }

  /** Ends the open read transaction: the next read sees all that is committed. */
  refresh(): void {
    if (!this.#reading || this.#still) return
    this.#reading = false
    // An error may have ended it already.
    if (this.#db.inTransaction) this.#end.run()
  }

  /** The value of a pragma, such as page_count. */
  fact(pragma: string): number {
    return this.#db.pragma(pragma, { simple: true }) as number
  }

  close(): void {
    if (this.#db.inTransaction) this.#end.run()
    this.#reading = false
    this.#db.close()
  }

  #run(decoding: Decoding, shape: Shape, values: unknown[]): Row[] {
    return this.#read(() => {
      const rows = shape.plain.all(values)
      if (decodeAll(decoding, rows)) return rows
      shape.exact ??= this.#db.prepare<unknown[], Row>(exactly(decoding, shape.plain.source))
      const exact = shape.exact.all(values)
      for (const row of exact) decodeBlobs(decoding.names, decodeBlobs(decoding.digests, row))
      return exact
    })
  }

  #read<T>(statement: () => T): T {
    try {
      if (!this.#reading) {
        this.#begin.run()
        this.#reading = true
        if (!this.#still) setImmediate(this.#release)
      }
      return statement()
    } catch (error) {
      throw storeError(error)
    }
  }

  #decodingOf(
    collection: Collection<never> | Collection<object>,
    projected?: readonly string[],
  ): Decoding {
    const id = projected === undefined ? collection.name : `${collection.name} ${projected}`
    const known = this.#decodings.get(id)
    if (known !== undefined) return known
    const all = collection.fields as readonly string[]
    const fields = projected ?? all
    const typed = (type: ColumnType) =>
      fields.filter((field) => collection.types[all.indexOf(field)] === type)
    const decoding = {
      table: tableOf(collection),
      fields,
      names: typed('name'),
      digests: typed('digest'),
      shapes: new Map<number, Shape>(),
    }
    this.#decodings.set(id, decoding)
    return decoding
  }

  #makeShape(decoding: Decoding, number: number, sql: string): Shape {
    const shape = { plain: this.#db.prepare<unknown[], Row>(sql), exact: undefined }
    decoding.shapes.set(number, shape)
    return shape
  }
}

function select({ collection, columns }: Table, fields: readonly string[]): string {
  const all = collection.fields as readonly string[]
  const list = fields.map((field) => `${columns[all.indexOf(field)]} as "${field}"`)
  return `select ${list.join(', ')} from "${collection.name}"`
}

/** The same query with its names as blobs. */
function exactly({ table, names }: Decoding, sql: string): string {
  let exact = sql
  for (const name of names) {
    const column = table.columns[(table.collection.fields as readonly string[]).indexOf(name)]
    exact = exact.replace(`${column} as "${name}"`, `cast(${column} as blob) as "${name}"`)
  }
  return exact
}

function getQuery(table: Table): string {
  const match = table.columns
    .slice(0, table.collection.keyLength)
    .map((column, i) => `${column} = ${table.parameters[i]}`)
  return `${select(table, table.collection.fields)} where ${match.join(' and ')}`
}

/**
 * The query of a range whose bounds have these numbers of components. Exported for the test of its
 * query plans.
 */
export function scanQuery(
  table: Table,
  gte: number,
  lt: number,
  reverse: boolean,
  fields: readonly string[] = table.collection.fields,
): string {
  const bound = (length: number, sign: string) =>
    `(${table.columns.slice(0, length).join(', ')}) ${sign} (${table.parameters.slice(0, length).join(', ')})`
  const conditions = [gte > 0 ? bound(gte, '>=') : '', lt > 0 ? bound(lt, '<') : ''].filter(Boolean)
  const order = table.columns
    .slice(0, table.collection.keyLength)
    .map((column) => (reverse ? `${column} desc` : column))
  // The plus hides the limit from the planner, which would otherwise plan anew for each bound
  // limit: 17 us instead of 3.
  const where = conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`
  return `${select(table, fields)}${where} order by ${order.join(', ')} limit +?`
}

function bind(types: readonly ColumnType[], key: Key): unknown[] {
  const values: unknown[] = []
  for (let i = 0; i < key.length; i++) values.push(bound(types[i] as ColumnType, key[i] as KeyPart))
  return values
}

function bound(type: ColumnType, part: KeyPart): KeyPart | Buffer {
  if (typeof part === 'number' || type === 'text') return part
  return type === 'digest' || notAscii.test(part) ? Buffer.from(part, 'latin1') : part
}

/**
 * Turns names and digests into byte strings in place; false if a name's string does not determine
 * its bytes.
 */
function decodeAll({ names, digests }: Decoding, rows: Row[]): boolean {
  if (names.length > 0) {
    for (const row of rows) {
      for (const field of names) {
        const name = row[field]
        if (typeof name !== 'string') throw corrupt('a name that is no text')
        if (!notAscii.test(name)) continue
        if (name.includes(REPLACEMENT)) return false
        row[field] = Buffer.from(name, 'utf8').toString('latin1')
      }
    }
  }
  if (digests.length > 0) for (const row of rows) decodeBlobs(digests, row)
  return true
}

function decodeBlobs(fields: readonly string[], row: Row): Row {
  for (const field of fields) {
    const bytes = row[field]
    if (!Buffer.isBuffer(bytes)) throw corrupt('a digest that is no bytes')
    row[field] = bytes.toString('latin1')
  }
  return row
}
