// The tables of the FTS5 index, beside the collections in a vault's file, and the statements that
// bring a batch into them. All of it is derived data, so another layout may replace it at any time:
// FORMAT says which one a vault has.
//
//   search_body     FTS5: words of texts and of pieces; rowid is the text's or the piece's id
//   search_path     FTS5: words of files' names and paths; rowid is the inode
//   search_text     hash of each text
//   search_version  text of each version, 0 for none
//   search_stretch  where and when each piece is
//   search_state    one row: format, watermark, above which ids texts and pieces are new
//
// The FTS5 tables keep no content: the vault has it. They keep positions of the `whole` words, too,
// which nobody asks for: a table of their own without positions saves a tenth of the index (30 % of
// the text instead of 33 %, 10,000 source files), but then no expression could join them with the
// others, and each would keep its sizes of documents apart.

import type { SqlStatement } from '../store/store.ts'
import { type IndexBatch, PIECES_FROM } from './engine.ts'
import type { WordTable } from './fts5-plan.ts'

export const FORMAT = 2

/** From which ids on texts and pieces are new. */
export interface Next {
  readonly text: number
  readonly piece: number
}

export const WORD_TABLES: readonly WordTable[] = ['search_body', 'search_path']

const TABLES = [...WORD_TABLES, 'search_text', 'search_version', 'search_stretch', 'search_state']

/**
 * How many pages, of 4 KB, a merge writes at a time: a millisecond or two, for which commits wait.
 * FTS5 would merge on its own within a batch, as long as it takes.
 */
const MERGE_PAGES = 32

/** Makes what is missing. */
export const create: readonly SqlStatement[] = [
  ...wordTable('search_body', ['body', 'body_whole']),
  ...wordTable('search_path', ['name', 'name_whole', 'path', 'path_whole']),
  once('create table if not exists search_text (id integer primary key, hash blob not null)'),
  once('create index if not exists search_text_hash on search_text (hash)'),
  once(
    'create table if not exists search_version (ino integer not null, number integer not null, text integer not null, primary key (ino, number)) without rowid',
  ),
  once('create index if not exists search_version_text on search_version (text) where text > 0'),
  once(
    'create table if not exists search_stretch (id integer primary key, ino integer not null, first integer not null, last integer not null, start integer not null, "end" integer not null)',
  ),
  once('create index if not exists search_stretch_ino on search_stretch (ino)'),
  once(
    'create table if not exists search_state (id integer primary key, format integer not null, watermark integer not null, next_text integer not null, next_piece integer not null)',
  ),
]

/** Removes all, and makes it anew with nothing in it. */
export function recreate(next: Next): SqlStatement[] {
  const drop = TABLES.map((table) => once(`drop table if exists ${table}`))
  return [...drop, ...create, state(0, next)]
}

/** What a batch does; tables must be there. What it removes and puts is there afterwards. */
export function statementsOf(batch: IndexBatch): SqlStatement[] {
  const { texts, files, versions, pieces, removedTexts, removedFiles, removedVersions } = batch
  const next = {
    text: texts.reduce((next, { id }) => Math.max(next, id + 1), 1),
    piece: pieces.reduce((next, { id }) => Math.max(next, id + 1), PIECES_FROM),
  }
  const removed = removedTexts.map((id) => [id])
  return [
    { sql: 'delete from search_body where rowid = ?', rows: removed },
    { sql: 'delete from search_text where id = ?', rows: removed },
    { sql: 'delete from search_stretch where id = ?', rows: removed },
    {
      sql: 'delete from search_path where rowid = ?',
      rows: removedFiles.map((ino) => [ino]),
    },
    {
      sql: 'delete from search_version where ino = ? and number = ?',
      rows: removedVersions.map(({ ino, number }) => [ino, number]),
    },
    {
      sql: 'insert into search_text (id, hash) values (?, ?)',
      rows: texts.map(({ id, hash }) => [id, hash]),
    },
    {
      sql: 'insert into search_body (rowid, body, body_whole) values (?, ?, ?)',
      rows: [...texts, ...pieces].map(({ id, body }) => [id, body.parts, body.whole]),
    },
    {
      sql: 'insert or replace into search_stretch (id, ino, first, last, start, "end") values (?, ?, ?, ?, ?, ?)',
      rows: batch.stretches.map(({ id, ino, first, last, start, end }) => [
        ...[id, ino, first],
        ...[last, start, end],
      ]),
    },
    {
      sql: 'insert or replace into search_path (rowid, name, name_whole, path, path_whole) values (?, ?, ?, ?, ?)',
      rows: files.map(({ ino, name, path }) => [
        ino,
        name.parts,
        name.whole,
        path.parts,
        path.whole,
      ]),
    },
    {
      sql: 'insert or replace into search_version (ino, number, text) values (?, ?, ?)',
      rows: versions.map(({ ino, number, text }) => [ino, number, text]),
    },
    state(batch.watermark, next),
  ]
}

/** Writes what is there already, so that a durable run has something to sync. */
export const touch: SqlStatement = once('update search_state set watermark = watermark')

/** Merges a piece of what is worth merging; changes fewer than two rows when nothing was. */
export function merge(table: WordTable): SqlStatement {
  return command(table, `'merge', ${MERGE_PAGES}`)
}

/** Begins to merge all into one, of which `merge` does the rest. */
export function mergeAll(table: WordTable): SqlStatement {
  return command(table, `'merge', ${-MERGE_PAGES}`)
}

function wordTable(name: WordTable, fields: readonly string[]): SqlStatement[] {
  // The tokenizer takes everything beyond ASCII, and letters and digits within it, for parts of
  // words.
  const options = "content = '', contentless_delete = 1, tokenize = 'ascii'"
  return [
    once(
      `create virtual table if not exists ${name} using fts5 (${fields.join(', ')}, ${options})`,
    ),
    command(name, "'automerge', 0"),
    // Should merges in pieces ever fail to keep up: FTS5 takes no more than 2000 segments.
    command(name, "'crisismerge', 500"),
  ]
}

function state(watermark: number, { text, piece }: Next): SqlStatement {
  return {
    sql: 'insert into search_state (id, format, watermark, next_text, next_piece) values (1, ?, ?, ?, ?) on conflict (id) do update set format = excluded.format, watermark = excluded.watermark, next_text = max(next_text, excluded.next_text), next_piece = max(next_piece, excluded.next_piece)',
    rows: [[FORMAT, watermark, text, piece]],
  }
}

/**
 * A command to an FTS5 table. Its number must be in the SQL: a number that is bound is a REAL,
 * which FTS5 refuses.
 */
function command(table: WordTable, nameAndValue: string): SqlStatement {
  return once(`insert into ${table} (${table}, rank) values (${nameAndValue})`)
}

function once(sql: string): SqlStatement {
  return { sql, rows: [[]] }
}
