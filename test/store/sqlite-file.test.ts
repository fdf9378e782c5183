// What only SQLite does: which files it opens, what it leaves behind, how it searches, and what
// happens when its thread, its disk or its file fails.

import { spawnSync } from 'node:child_process'
import { existsSync, openSync, readdirSync, statSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import t, { type Test } from 'tap'
import { block, collections, entry, extent, orphan, setting } from '../../src/store/collections.ts'
import { openEngine } from '../../src/store/open.ts'
import { CommitThread } from '../../src/store/sqlite/commit-thread.ts'
import { scanQuery } from '../../src/store/sqlite/reader.ts'
import { APPLICATION_ID, FORMAT, PAGE_BYTES, tableOf } from '../../src/store/sqlite/schema.ts'
import { filesWith } from '../support/disk.ts'
import { randomFrom } from '../support/random.ts'
import { changes, putBatch } from './rows.ts'

const LOG_BYTES_MAX = 128 * 1024 * 1024

/** The path of a new vault with one setting, closed. */
async function made(t: Test): Promise<string> {
  const path = join(t.testdir(), 'vault.avfs')
  const store = await openEngine(path, { create: true })
  await store.commit(putBatch(setting, { name: 'a', value: '1' }))
  await store.close()
  return path
}

function change(path: string, sql: string): void {
  const db = new Database(path)
  db.exec(sql)
  db.close()
}

t.test('a closed vault is one file, which says what it is', async (t) => {
  const path = await made(t)
  t.same(readdirSync(dirname(path)), ['vault.avfs'])
  t.equal(statSync(path).mode & 0o777, 0o600, 'nobody else may read what its files may hide')
  const db = new Database(path, { readonly: true })
  t.equal(db.pragma('application_id', { simple: true }), APPLICATION_ID)
  t.equal(db.pragma('user_version', { simple: true }), FORMAT)
  t.equal(db.pragma('page_size', { simple: true }), PAGE_BYTES)
  t.equal(db.pragma('journal_mode', { simple: true }), 'delete')
  db.close()
})

t.test('a vault of a newer format is refused, and left as it is', async (t) => {
  const path = await made(t)
  change(path, `pragma user_version = ${FORMAT + 1}`)
  const refusal = { name: 'StoreError', kind: 'format', message: /newer avfs.* format 2.* up to 1/ }
  await t.rejects(openEngine(path), refusal)
  await t.rejects(openEngine(path, { readOnly: true }), refusal)
  t.same(readdirSync(dirname(path)), ['vault.avfs'])
})

t.test('what is no vault is refused with a line that says so', async (t) => {
  const dir = t.testdir({ text: 'x'.repeat(5000), empty: '' })
  change(join(dir, 'other.db'), 'create table a (b)')
  for (const name of ['text', 'empty', 'other.db']) {
    const refusal = { kind: 'format', message: `${join(dir, name)} is not an avfs vault` }
    await t.rejects(openEngine(join(dir, name)), refusal)
  }
  await t.rejects(openEngine(join(dir, 'other.db'), { create: true }), {
    kind: 'format',
    message: /not an avfs vault/,
  })
  await t.rejects(openEngine(join(dir, 'none.avfs')), {
    kind: 'io',
    message: /there is no vault at/,
  })
  await t.rejects(openEngine(join(dir, 'no/v.avfs'), { create: true }), {
    kind: 'io',
    message: /no folder/,
  })
  const unknown = {
    kind: 'format',
    message: /there is no backend named paper; there are sqlite, lmdb, /,
  }
  await t.rejects(openEngine(join(dir, 'v.avfs'), { create: true, backend: 'paper' }), unknown)
})

t.test('a vault is made once, and again only while it has no rows', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  await (await openEngine(path, { create: true })).close()
  const store = await openEngine(path, { create: true })
  await store.commit(putBatch(orphan, { ino: 1 }))
  await store.close()
  await t.rejects(openEngine(path, { create: true }), { kind: 'io', message: /already/ })
})

t.test('a table that a newer program brings is made when the vault is opened', async (t) => {
  const path = await made(t)
  change(path, 'drop table orphan; drop view files; create view files as select 1')
  const store = await openEngine(path)
  await store.commit(putBatch(orphan, { ino: 1 }))
  await store.close()
  const db = new Database(path, { readonly: true })
  t.same(db.prepare('select path from files').all(), [])
  db.close()
})

t.test('a store that only reads shows the state at its opening, and takes no commit', async (t) => {
  const path = await made(t)
  const writer = await openEngine(path)
  const reader = await openEngine(path, { readOnly: true })
  await writer.commit(putBatch(setting, { name: 'a', value: '2' }))
  t.equal(reader.get(setting, ['a'])?.value, '1')
  t.equal(writer.get(setting, ['a'])?.value, '2')
  await t.rejects(reader.commit([]), { kind: 'locked', message: /reading only/ })
  await t.rejects(reader.compact(), { kind: 'locked', message: /reading only/ })
  t.same(await reader.verify(), [])
  await reader.close()
  await writer.close()
  t.same(readdirSync(dirname(path)), ['vault.avfs'])
  const still = await openEngine(path, { readOnly: true })
  t.equal(still.get(setting, ['a'])?.value, '2')
  await still.close()
  t.same(readdirSync(dirname(path)), ['vault.avfs'], 'reading a closed vault leaves no log')
})

t.test('a vault whose process was killed as it closed is read all the same', async (t) => {
  const path = await made(t)
  // Without its log, and with a cache of one page, changes go into the file before they are
  // committed.
  const script = `
    const db = new (require(process.argv[2]))(process.argv[1])
    db.pragma('cache_size = 1')
    db.exec("begin immediate; delete from setting where name = 'a'")
    const put = db.prepare('insert into setting values (?, ?)')
    for (let at = 0; at < 500; at++) put.run('b' + at, 'x'.repeat(5000))
    process.kill(process.pid, 'SIGKILL')`
  const library = import.meta.resolve('better-sqlite3').slice('file://'.length)
  const { signal } = spawnSync(process.execPath, ['-e', script, path, library])
  t.equal(signal, 'SIGKILL')
  t.ok(existsSync(`${path}-journal`))
  const store = await openEngine(path, { readOnly: true })
  t.same(store.scan(setting, { limit: 10 }), [{ name: 'a', value: '1' }])
  await store.close()
  t.same(readdirSync(dirname(path)), ['vault.avfs'])
})

t.test('values lie in columns of their types', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  const store = await openEngine(path, { create: true })
  await store.commit([
    changes(entry, [
      {
        parent: 1,
        name: 'gr\xc3\xbcn',
        ino: 2 ** 53 - 1,
        type: 8,
        origin: 0 as const,
        actor: 0,
        fromParent: 0,
        fromName: '',
        since: 0,
      },
    ]),
    changes(block, [{ hash: 'h'.repeat(32), size: 3, codec: 0, data: Buffer.from('abc') }]),
  ])
  await store.close()
  const db = new Database(path, { readonly: true })
  t.same(db.prepare('select name, ino, typeof(parent) p, typeof(name) n from entry').all(), [
    { name: 'gr\u00fcn', ino: 2 ** 53 - 1, p: 'integer', n: 'text' },
  ])
  t.same(db.prepare('select typeof(hash) h, typeof(data) d from block').all(), [
    { h: 'blob', d: 'blob' },
  ])
  db.close()
})

t.test('every range is a search in the key, in its order', async (t) => {
  const db = new Database(await made(t), { readonly: true })
  const bad: string[] = []
  for (const collection of collections) {
    const { keyLength } = collection
    for (let gte = 0; gte <= keyLength; gte++) {
      for (let lt = 0; lt <= keyLength; lt++) {
        for (const reverse of [false, true]) {
          const sql = scanQuery(tableOf(collection), gte, lt, reverse)
          const values = new Array(gte + lt + 1).fill(1)
          const plan = db.prepare(`explain query plan ${sql}`).all(values) as { detail: string }[]
          const details = plan.map(({ detail }) => detail).join('; ')
          const searched = details.match(/\(.*\)/)?.[0] ?? ''
          const bounds = (searched.match(/\?/g) ?? []).length
          if (!details.includes('TEMP B-TREE') && bounds === gte + lt) continue
          bad.push(`${sql}: ${details}`)
        }
      }
    }
  }
  t.same(bad, [])
  db.close()
})

t.test('the log stays short while a writer never stops and reads go on', async (t) => {
  const path = await made(t)
  const store = await openEngine(path)
  const random = randomFrom(1)
  const data = random.bytes(131_072)
  let longest = 0
  let before: Promise<void> = Promise.resolve()
  for (let i = 0; i < 24; i++) {
    const rows = Array.from({ length: 64 }, (_, j) => ({
      ...{ hash: `${i} ${j}`, size: data.length, codec: 0, data },
    }))
    const commit = store.commit([changes(block, rows)])
    for (let j = 0; j < 20; j++) store.get(block, [`${i - 1} ${j}`])
    await before
    before = commit
    longest = Math.max(longest, statSync(`${path}-wal`).size)
  }
  await before
  t.ok(longest < LOG_BYTES_MAX, `${longest} bytes`)
  // A shell that sits in a transaction holds the log; when it has left, the log is cut again.
  const shell = new Database(path, { readonly: true })
  shell.exec('begin')
  shell.prepare('select count(*) from setting').get()
  for (let i = 0; i < 10; i++) {
    const rows = Array.from({ length: 64 }, (_, j) => ({
      hash: `s${i} ${j}`,
      size: 1,
      codec: 0,
      data,
    }))
    await store.commit([changes(block, rows)])
  }
  shell.close()
  for (let i = 0; i < 3; i++) await store.commit(putBatch(setting, { name: 'a', value: `${i}` }))
  t.ok(statSync(`${path}-wal`).size < LOG_BYTES_MAX)
  await store.close()
  t.same(readdirSync(dirname(path)), ['vault.avfs'])
})

t.test('commits that wait are rejected when the thread dies, and so are later ones', async (t) => {
  const path = await made(t)
  const thread = await CommitThread.start(path, 2 ** 20, () => {})
  const commits = [1, 2, 3].map((ino) => thread.commit(putBatch(orphan, { ino })))
  const all = Promise.allSettled(commits)
  await thread.kill()
  const last = (await all).at(-1)
  if (last?.status === 'rejected') t.match(last.reason, { kind: 'io' })
  await t.rejects(thread.commit(putBatch(orphan, { ino: 4 })), { kind: 'io', message: /has ended/ })
})

t.test('damage is found, and read as corrupt', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  const store = await openEngine(path, { create: true })
  const rows = Array.from({ length: 5000 }, (_, i) => ({
    ...{
      parent: 1,
      name: `a rather long name of a file ${i}`,
      ino: i,
      type: 8,
      origin: 0 as const,
      actor: 0,
      fromParent: 0,
      fromName: '',
      since: 1,
    },
  }))
  await store.commit([changes(entry, rows)])
  await store.close()
  const file = openSync(path, 'r+')
  const pages = statSync(path).size / PAGE_BYTES
  for (let page = pages - 10; page < pages; page++)
    writeSync(file, Buffer.alloc(PAGE_BYTES, 0xa5), 0, PAGE_BYTES, page * PAGE_BYTES)
  const damaged = await openEngine(path)
  t.not((await damaged.verify()).length, 0)
  t.throws(() => damaged.scan(entry, { limit: 10_000 }), { name: 'StoreError', kind: 'corrupt' })
  await damaged.close()
})

t.test('a commit that the disk refuses changes nothing, nor do those behind it', async (t) => {
  const path = await made(t)
  const child = join(import.meta.dirname, 'full-disk-child.ts')
  // A limit on the length of files stands for the full disk, which would need a file system of its
  // own. The test runner's hooks in a process would catch the signal that Node ignores: SIGXFSZ, a
  // file that is too long.
  const command = `unset NODE_OPTIONS; ulimit -f 4096; exec "${process.execPath}" "${child}" "${path}"`
  const { stdout, stderr, signal } = spawnSync('bash', ['-c', command], { encoding: 'utf8' })
  t.same([stderr, signal], ['', null])
  t.same(JSON.parse(stdout || 'null'), {
    outcomes: ['done', 'io', 'io', 'done'],
    extents: 0,
    settings: [
      { name: 'a', value: 'first' },
      { name: 'later', value: 'small' },
    ],
  })
  const store = await openEngine(path)
  t.same(await store.verify(), [])
  t.same(store.scan(extent, { limit: 10 }), [])
  await store.close()
  t.notOk(existsSync(`${path}-wal`))
})

t.test(
  'what an older program left in free pages and between rows goes when it is written anew',
  async (t) => {
    const path = join(t.testdir(), 'vault.avfs')
    const store = await openEngine(path, { create: true })
    await store.close()
    const db = new Database(path)
    db.pragma('secure_delete = off')
    const put = db.prepare(
      'insert into extent ("ino", "offset", "length", hash, block_offset, crc, data, since) values (?, 0, 1, ?, 0, 0, ?, 1)',
    )
    for (let ino = 0; ino < 50; ino++)
      put.run(ino, Buffer.alloc(0), Buffer.alloc(ino % 2 === 0 ? 40 : 40_000, `SWORDFISH${ino} `))
    db.exec('delete from extent where ino > 10')
    db.close()
    t.not(filesWith(dirname(path), 'SWORDFISH33').length, 0)
    const again = await openEngine(path)
    await again.compact({ anew: true })
    t.same(filesWith(dirname(path), 'SWORDFISH33'), [], 'while it is open')
    t.same(filesWith(dirname(path), 'SWORDFISH44'), [])
    t.equal(again.scan(extent, { limit: 100 }).length, 11)
    await again.close()
  },
)
