// Other tables in the file of a vault: their statements run between the commits, in order, and
// neither harms the other.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { setting } from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import { runOver } from '../../src/store/sqlite/run-port.ts'
import type { Auxiliary, SqlStatement, Store } from '../../src/store/store.ts'
import { temporaryFolder } from '../support/mount.ts'
import { attempt, run } from '../support/program.ts'
import { scanned } from './answers.ts'
import { putBatch } from './rows.ts'

const CREATE = sql('create table if not exists other (a integer primary key, b)')

function sql(text: string, ...rows: SqlStatement['rows']): SqlStatement {
  return { sql: text, rows: rows.length === 0 ? [[]] : rows }
}

function insert(...rows: SqlStatement['rows']): SqlStatement {
  return { sql: 'insert into other (a, b) values (?, ?)', rows }
}

function put(store: Store, value: number): Promise<void> {
  return store.commit(putBatch(setting, { name: 'n', value: `${value}` }))
}

function auxiliaryOf(store: Store): Auxiliary {
  if (store.auxiliary === undefined) throw new Error('the store takes no other tables')
  return store.auxiliary
}

/** Opens a new vault for a test, and closes it at its end. */
async function withStore(
  t: Test,
  body: (store: Store, auxiliary: Auxiliary) => Promise<void>,
): Promise<void> {
  const store = await openStore(join(t.testdir(), 'vault.avfs'), { create: true })
  try {
    await body(store, auxiliaryOf(store))
  } finally {
    await store.close()
  }
}

/** What is in the other table, as a connection of its owner sees it. */
function rowsOf({ path }: Auxiliary): unknown[] {
  const db = new Database(path, { readonly: true })
  try {
    return db.prepare('select a, b from other order by a').raw().all()
  } finally {
    db.close()
  }
}

t.test('statements run as one transaction, each once for every row', (t) =>
  withStore(t, async (_store, auxiliary) => {
    const bytes = new Uint8Array([1, 255])
    t.equal(await auxiliary.run([CREATE, insert([1, 'a'], [2, bytes], [2n ** 60n, null])]), 3)
    t.same(rowsOf(auxiliary), [
      [1, 'a'],
      [2, Buffer.from(bytes)],
      [2 ** 60, null],
    ])
    const failed = auxiliary.run([sql('delete from other'), insert([5, 'x'], [5, 'y'])])
    await t.rejects(failed, { name: 'StoreError', kind: 'io', message: /UNIQUE constraint/ })
    t.equal(rowsOf(auxiliary).length, 3, 'all of it, or nothing')
    await t.rejects(auxiliary.run([sql('insert into nowhere values (1)')]), {
      message: /no such table: nowhere/,
    })
    t.equal(await auxiliary.run([sql('delete from other where a = ?', [1], [9])]), 1)
    t.equal(await auxiliary.run([]), 0)
  }),
)

t.test('a run stands between the commits before and after it', (t) =>
  withStore(t, async (store, auxiliary) => {
    await auxiliary.run([CREATE])
    const copy = sql(
      "insert into other select coalesce(max(a), 0) + 1, (select value from setting where name = 'n') from other",
    )
    const order: string[] = []
    const calls: Promise<unknown>[] = []
    for (let i = 1; i <= 20; i++) {
      calls.push(put(store, i).then(() => order.push(`commit ${i}`)))
      calls.push(auxiliary.run([copy]).then(() => order.push(`run ${i}`)))
    }
    await Promise.all(calls)
    t.same(
      rowsOf(auxiliary),
      Array.from({ length: 20 }, (_, i) => [i + 1, `${i + 1}`]),
      'each saw the commit before it, and not the one behind',
    )
    t.same(order, Array.from({ length: 20 }, (_, i) => [`commit ${i + 1}`, `run ${i + 1}`]).flat())
  }),
)

t.test('a run that fails refuses no commit, and a commit that fails refuses no run', (t) =>
  withStore(t, async (store, auxiliary) => {
    await auxiliary.run([CREATE, insert([1, 'a'])])
    const results = await Promise.allSettled([
      put(store, 1),
      auxiliary.run([insert([1, 'again'])]),
      put(store, 2),
      auxiliary.run([insert([2, 'b'])]),
      put(store, 3),
    ])
    t.same(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
    )
    t.equal(store.get(setting, ['n'])?.value, '3')
    await auxiliary.run([
      sql("create trigger no before insert on setting begin select raise(abort, 'no'); end"),
    ])
    const refused = await Promise.allSettled([put(store, 4), auxiliary.run([insert([3, 'c'])])])
    t.same(
      refused.map(({ status }) => status),
      ['rejected', 'fulfilled'],
    )
    await auxiliary.run([sql('drop trigger no')])
    await put(store, 5)
    t.equal(store.get(setting, ['n'])?.value, '5')
  }),
)

t.test('commits stay synced after a run that was not', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  const store = await openStore(path, { create: true })
  const mode = sql(
    'insert into other (b) select synchronous from (select * from pragma_synchronous)',
  )
  const auxiliary = auxiliaryOf(store)
  await auxiliary.run([CREATE])
  await auxiliary.run([mode])
  await auxiliary.run([mode], { durable: true })
  await t.rejects(auxiliary.run([sql('insert into nowhere values (1)')]))
  // A commit tells which mode it ran in, once triggers may ask.
  await auxiliary.run([
    sql('pragma trusted_schema = on'),
    sql(
      'create trigger tell after insert on setting begin insert into other (b) select synchronous from pragma_synchronous; end',
    ),
  ])
  await put(store, 1)
  t.same(rowsOf(auxiliary), [
    [1, 1],
    [2, 2],
    [3, 2],
  ])
  await store.close()
})

t.test('other tables are no part of what a vault is', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  const store = await openStore(path, { create: true })
  const auxiliary = auxiliaryOf(store)
  await put(store, 1)
  const filler = 'x'.repeat(10_000)
  await auxiliary.run([CREATE, insert(...Array.from({ length: 500 }, (_, i) => [i, filler]))])
  t.same(await store.verify(), [])
  const before = store.stats().bytes
  await auxiliary.run([sql('delete from other where a > 3')])
  await Promise.all([store.compact(), auxiliary.run([insert([1000, 'meanwhile'])])])
  t.ok(store.stats().bytes < before / 2, 'compact gives their space back, too')
  t.same(
    rowsOf(auxiliary).map((row) => (row as unknown[])[0]),
    [0, 1, 2, 3, 1000],
  )
  await store.close()
  await t.rejects(auxiliary.run([CREATE]), { name: 'StoreError', kind: 'closed' })

  const again = await openStore(path)
  t.equal(again.get(setting, ['n'])?.value, '1')
  t.equal(rowsOf(auxiliaryOf(again)).length, 5, 'they stay in the file')
  const view = await again.view()
  await t.rejects(auxiliaryOf(view).run([CREATE]), { name: 'StoreError', kind: 'locked' })
  await view.close()
  await again.close()

  const still = await openStore(path, { readOnly: true })
  t.equal(rowsOf(auxiliaryOf(still)).length, 5)
  await t.rejects(auxiliaryOf(still).run([CREATE]), { name: 'StoreError', kind: 'locked' })
  await still.close()
})

t.test('the log stays short while runs never stop', (t) =>
  withStore(t, async (store, auxiliary) => {
    await auxiliary.run([CREATE])
    const filler = Buffer.alloc(500_000, 'x')
    let longest = 0
    for (let i = 0; i < 200; i++) {
      await auxiliary.run([
        sql('insert or replace into other (a, b) values (?, ?)', [i % 10, filler]),
      ])
      longest = Math.max(longest, Number(store.stats().engine.walBytes))
    }
    t.ok(longest > 1_000_000 && longest < 64 * 1024 * 1024, `${longest} bytes`)
  }),
)

t.test('a full disk is told as such, and commits go on when there is room', async (t) => {
  const disk = join(temporaryFolder(t), 'disk')
  mkdirSync(disk)
  run('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'none', disk])
  t.teardown(() => attempt('umount', ['-l', disk]))
  const store = await openStore(join(disk, 'vault.avfs'), { create: true })
  const auxiliary = auxiliaryOf(store)
  await auxiliary.run([CREATE])
  const large = Buffer.alloc(3_000_000, 'x')
  let refusal: unknown
  for (let i = 1; i < 20 && refusal === undefined; i++)
    refusal = await auxiliary.run([insert([i, large])]).then(
      () => undefined,
      (error) => error,
    )
  t.match(refusal, { name: 'StoreError', kind: 'full' })
  run('mount', ['-o', 'remount,size=64m', disk])
  await put(store, 7)
  await auxiliary.run([insert([100, 'room'])])
  t.same(await scanned(store, setting, { limit: 9 }), [{ name: 'n', value: '7' }])
  t.same(await store.verify(), [])
  await store.close()
})

t.test('another thread runs statements over a channel of its own', (t) =>
  withStore(t, async (store, auxiliary) => {
    const over = runOver(auxiliary.connect())
    t.equal(await over([CREATE, insert([1, 'a'], [2, 'b'])]), 2)
    await t.rejects(over([insert([3, 'c'], [1, 'x'])]), { name: 'StoreError', kind: 'io' })
    t.equal(await over([sql('delete from other where a = ?', [1])], { durable: true }), 1)
    t.same(rowsOf(auxiliary), [[2, 'b']], 'all of each, or nothing')
    await put(store, 1)
    await store.close()
    const gone = { name: 'StoreError', kind: 'io', message: /has ended/ }
    await t.rejects(over([CREATE]), gone, 'and hears when the vault is closed')
  }),
)

t.test('a vault that is open for reading only has no channel to its writer', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  await (await openStore(path, { create: true })).close()
  const store = await openStore(path, { readOnly: true })
  t.throws(() => auxiliaryOf(store).connect(), { name: 'StoreError', kind: 'locked' })
  await store.close()
})
