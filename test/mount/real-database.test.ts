// SQLite databases inside a mounted vault: WAL and its shared memory, rollback journals, locks
// between processes.

import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import { mountedVault } from '../support/mount.ts'
import { attempt, needProgram, run } from '../support/program.ts'

t.setTimeout(300_000)

t.test('sqlite3 with WAL takes 10,000 inserts and is whole', (t) => {
  const vault = mountedVault(t)
  const path = join(vault.dir, 'data.db')
  const database = new Database(path)
  t.equal(database.pragma('journal_mode = wal', { simple: true }), 'wal')
  database.pragma('synchronous = full')
  database.exec('create table t (id integer primary key, text text)')
  const insert = database.prepare('insert into t (text) values (?)')
  const many = database.transaction((from: number, count: number) => {
    for (let index = 0; index < count; index++) insert.run(`row ${from + index}`)
  })
  for (let turn = 0; turn < 100; turn++) many(turn * 100, 100)
  const reader = new Database(path, { readonly: true })
  t.equal(reader.prepare('select count(*) from t').pluck().get(), 10_000)
  reader.close()
  t.equal(database.pragma('integrity_check', { simple: true }), 'ok')
  database.close()
  vault.unmount()
  vault.check()
  vault.mount()
  const again = new Database(path)
  t.equal(again.pragma('integrity_check', { simple: true }), 'ok')
  t.equal(again.prepare('select count(*) from t').pluck().get(), 10_000)
  t.equal(again.prepare('select text from t where id = 5000').pluck().get(), 'row 4999')
  again.close()
  t.end()
})

t.test('the sqlite3 shell commits 50 transactions, with each kind of journal', (t) => {
  needProgram('sqlite3')
  const vault = mountedVault(t)
  for (const mode of ['delete', 'truncate', 'persist', 'wal']) {
    const path = join(vault.dir, `${mode}.db`)
    run('sqlite3', [path, `pragma journal_mode = ${mode}; create table t (n)`])
    const input = Array.from({ length: 50 }, (_, n) => `insert into t values (${n});`).join('\n')
    run('sqlite3', [path], { input })
    t.equal(run('sqlite3', [path, 'select count(*), sum(n) from t']), '50|1225')
    t.equal(run('sqlite3', [path, 'pragma integrity_check']), 'ok')
  }
  t.end()
})

t.test('a second process waits for the lock of the first', (t) => {
  needProgram('sqlite3')
  const vault = mountedVault(t)
  const path = join(vault.dir, 'locked.db')
  const holder = new Database(path)
  holder.exec('create table t (n); begin immediate; insert into t values (1)')
  const refused = attempt('sqlite3', [path, 'insert into t values (2)'])
  t.match(refused.stderr, /locked/)
  holder.exec('commit')
  run('sqlite3', [path, 'insert into t values (3)'])
  t.equal(holder.prepare('select sum(n) from t').pluck().get(), 4)
  holder.close()
  t.end()
})
