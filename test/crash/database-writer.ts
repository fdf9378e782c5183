// A process that commits rows to a SQLite database in a mounted vault until the mount dies:
// database-writer.ts DATABASE JOURNAL. The journal gets the number of each row after its commit
// returned.

import { openSync, writeSync } from 'node:fs'
import Database from 'better-sqlite3'

const [path, journalPath] = process.argv.slice(2)
if (path === undefined || journalPath === undefined) {
  throw new Error('database-writer.ts DATABASE JOURNAL')
}

const journal = openSync(journalPath, 'a')
const database = new Database(path)
database.pragma('journal_mode = wal')
// Each commit is an fsync of the journal, and so a promise.
database.pragma('synchronous = full')
database.pragma('wal_autocheckpoint = 50')
database.exec('create table if not exists t (n integer primary key, text text)')
const insert = database.prepare('insert into t values (?, ?)')
let number = Number(database.prepare('select coalesce(max(n), 0) from t').pluck().get())
for (;;) {
  number++
  insert.run(number, `row ${number} `.repeat(1 + (number % 100)))
  writeSync(journal, `${number}\n`)
}
