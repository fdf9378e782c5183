// How collections are stored in SQLite: one table each, derived from collections.ts, with columns
// in snake_case. Also the numbers that identify a vault file, and the creation of missing tables.
// Knows no connection but the one it is given.
//
//   key is one uint            integer primary key (the rowid): inode, actor, orphan, unsealed
//   rows with large blobs      rowid table and a unique index <table>_key: extent, extent_past,
//                              block
//   all others                 primary key, without rowid
//
// In a table without rowid, rows beyond 4 KiB spill to overflow pages: blobs there are written at
// half the speed.

import type { Database } from 'better-sqlite3'
import { type Collection, type ColumnType, collections } from '../collections.ts'
import { views } from './views.ts'

/** The format that this program writes, stored as user_version. A higher one is refused. */
export const FORMAT = 1
/** 'AVFS' as application_id, by which file(1) and avfs recognize a vault. */
export const APPLICATION_ID = 0x41564653
/**
 * Measured: 4096 writes blobs at half the speed; 32768 doubles what an fsync of one changed row
 * writes.
 */
export const PAGE_BYTES = 16384

const withLargeBlobs = new Set(['extent', 'extent_past', 'block'])
const neverChanging = new Set(['block'])

const sqlTypes: Record<ColumnType, string> = {
  uint: 'integer not null',
  int: 'integer not null',
  name: 'text not null',
  digest: 'blob not null',
  text: 'text not null',
  bytes: 'blob',
}

// A blob cast to text keeps its bytes, valid UTF-8 or not. The unary plus removes the affinity of
// the cast: with it, a search by a row value such as (parent, name) would use the index only for
// the components before the name.
const BYTES_AS_TEXT = '+cast(? as text)'

/**
 * A collection and its SQL: `columns` are quoted, `parameters` are the expressions for their bound
 * values.
 */
export interface Table {
  readonly collection: Collection<object>
  readonly columns: readonly string[]
  readonly parameters: readonly string[]
  readonly create: readonly string[]
  readonly put: string
  readonly remove: string
}

/** Every table by the name of its collection, in the order of `collections`. */
export const tables: ReadonlyMap<string, Table> = new Map(
  collections.map((collection) => [collection.name, makeTable(collection)]),
)

/** The table of a collection; one that is not in `collections` is a bug. */
export function tableOf(collection: Collection<never> | Collection<object>): Table {
  const table = tables.get(collection.name)
  if (table === undefined) throw new TypeError(`no collection is named ${collection.name}`)
  return table
}

/**
 * Creates missing tables and views, and replaces views that an older program made differently, in
 * one transaction.
 */
export function createSchema(db: Database): void {
  const existing = new Map(
    (
      db.prepare('select name, sql from sqlite_master').all() as { name: string; sql: string }[]
    ).map(({ name, sql }) => [name, sql]),
  )
  const statements: string[] = []
  for (const { collection, create } of tables.values()) {
    if (!existing.has(collection.name)) statements.push(...create)
  }
  for (const [name, select] of Object.entries(views)) {
    const create = `create view ${name} as\n${select}`
    if (existing.get(name) === create.replace('create view', 'CREATE VIEW')) continue
    statements.push(`drop view if exists ${name}`, create)
  }
  if (statements.length === 0) return
  db.transaction(() => {
    for (const statement of statements) db.exec(statement)
    db.pragma(`application_id = ${APPLICATION_ID}`)
    db.pragma(`user_version = ${FORMAT}`)
  }).immediate()
}

interface SchemaRow {
  readonly type: string
  readonly name: string
  readonly tbl_name: string
  readonly sql: string | null
}

/**
 * What in a file's schema was not made by avfs and would take effect when rows are read or written:
 * a view or a different table in place of a collection's, a trigger, an index over expressions.
 * Undefined if there is none. Other tables are ignored.
 */
export function foreignPart(db: Database): string | undefined {
  const rows = db.prepare<[], SchemaRow>('select type, name, tbl_name, sql from sqlite_master')
  for (const { type, name, tbl_name: owner, sql } of rows.iterate()) {
    const isOurs = type === 'view' && name in views
    const table = tables.get(owner)
    if (type === 'trigger') return `the trigger ${name}`
    if (isOurs || (table === undefined && !(type === 'view' && isReserved(name)))) continue
    // Indexes that SQLite makes for keys have no SQL text.
    if (sql === null || table?.create.map(asStored).includes(sql)) continue
    return `the ${type} ${name}, which is not as avfs makes it`
  }
  return undefined
}

/** Names of tables that may lie beside the collections (Store.auxiliary). */
function isReserved(name: string): boolean {
  return name.startsWith('search_')
}

/** The text of a statement as sqlite_master stores it. */
function asStored(create: string): string {
  return create.replace(/^create (unique )?(table|index)/, (words) => words.toUpperCase())
}

function makeTable(collection: Collection<object>): Table {
  const { name, fields, types, keyLength } = collection
  const columns = (fields as readonly string[]).map(
    (field) => `"${field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}"`,
  )
  const parameters = types.map((type) => (type === 'name' || type === 'text' ? BYTES_AS_TEXT : '?'))
  const key = columns.slice(0, keyLength)
  const definitions = columns.map((column, i) => `${column} ${sqlTypes[types[i] as ColumnType]}`)
  const values = `"${name}" (${columns.join(', ')}) values (${parameters.join(', ')})`
  const match = key.map((column, i) => `${column} = ${parameters[i]}`).join(' and ')

  let create: string[]
  let put = `insert or replace into ${values}`
  if (withLargeBlobs.has(name)) {
    create = [
      `create table "${name}" (\n  "id" integer primary key,\n  ${definitions.join(',\n  ')}\n)`,
      `create unique index "${name}_key" on "${name}" (${key.join(', ')})`,
    ]
    // Not `or replace`: that would delete the row and append a new one, scattering a file's extents
    // over the table.
    const rest = columns.slice(keyLength).map((column) => `${column} = excluded.${column}`)
    put = `insert into ${values} on conflict (${key.join(', ')}) do update set ${rest.join(', ')}`
  } else if (keyLength === 1 && types[0] === 'uint') {
    definitions[0] = `${columns[0]} integer primary key`
    create = [`create table "${name}" (\n  ${definitions.join(',\n  ')}\n)`]
  } else {
    create = [
      `create table "${name}" (\n  ${definitions.join(',\n  ')},\n  primary key (${key.join(', ')})\n) without rowid`,
    ]
  }
  if (neverChanging.has(name)) put = `insert or ignore into ${values}`
  const remove = `delete from "${name}" where ${match}`
  return { collection, columns, parameters, create, put, remove }
}
