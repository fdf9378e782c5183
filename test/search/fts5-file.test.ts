// What only the FTS5 index does: how it is stored in the vault's file, what a crash and damage do
// to it, how much space it takes, and how it ranks many results. AVFS_SEED repeats the moments of a
// crash.

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import t from 'tap'
import type { SearchEngine } from '../../src/search/engine.ts'
import { type Fts5Options, openFts5 } from '../../src/search/fts5.ts'
import { setting } from '../../src/store/collections.ts'
import { openStore } from '../../src/store/open.ts'
import { type Store, StoreError } from '../../src/store/store.ts'
import { putBatch } from '../store/rows.ts'
import { linesUntilKilled } from '../support/killed.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { holdsBatches, killBatch } from './kill-batch.ts'
import { and, batchOf, body, file, find, text } from './plans.ts'

const ROUNDS = 8
const ALL = 1_000_000

interface Opened {
  readonly store: Store
  readonly engine: SearchEngine
  close(): Promise<void>
}

async function opened(
  path: string,
  options: { create?: boolean; readOnly?: boolean } & Fts5Options = {},
): Promise<Opened> {
  const { rankedMax, ...ofStore } = options
  const store = await openStore(path, ofStore)
  if (store.auxiliary === undefined) throw new Error('the store takes no other tables')
  const engine = openFts5(path, store.auxiliary.run, rankedMax === undefined ? {} : { rankedMax })
  const close = async () => {
    await engine.close()
    await store.close()
  }
  return { store, engine, close }
}

function put(store: Store, value: string): Promise<void> {
  return store.commit(putBatch(setting, { name: 'n', value }))
}

/** Changes the file as no program should. */
function damage(path: string, sql: string): void {
  const db = new Database(path)
  db.unsafeMode()
  db.exec(sql)
  db.close()
}

t.test(
  'after kill -9 every commit is there, and the index is as one of its batches left it',
  async (t) => {
    const seed = seedOf('AVFS_SEED')
    t.comment(`AVFS_SEED=${seed}`)
    const random = randomFrom(seed)
    const path = join(t.testdir(), 'vault.avfs')
    await (await openStore(path, { create: true })).close()
    let total = 0
    for (let round = 0; round < ROUNDS; round++) {
      const acknowledged = await killed(path, random.below(300))
      const { store, engine, close } = await opened(path)
      const last = Number(store.get(setting, ['last'])?.value ?? 0)
      t.ok(last >= acknowledged.commit, `commit ${acknowledged.commit} acknowledged, ${last} found`)
      for (let i = 1; i <= last; i++)
        if (store.get(setting, [`n${i}`]) === undefined) t.fail(`commit ${i} is not there`)
      total = engine.status().watermark
      t.ok(total >= acknowledged.apply, `batch ${acknowledged.apply} acknowledged, ${total} found`)
      holdsBatches(t, engine)
      t.same(await store.verify(), [])
      await engine.apply(killBatch(total + 1))
      holdsBatches(t, engine)
      await close()
    }
    t.ok(total > ROUNDS, `${total} batches in all`)
  },
)

/**
 * Runs the child for some time after its first line, kills it, and returns the last of each that it
 * acknowledged.
 */
async function killed(path: string, afterMs: number): Promise<{ commit: number; apply: number }> {
  const script = join(import.meta.dirname, 'fts5-kill-child.ts')
  const lines = await linesUntilKilled(script, [path], afterMs)
  const last = (word: string) =>
    Number(lines.findLast((line) => line.startsWith(word))?.slice(word.length + 1) ?? 0)
  return { commit: last('commit'), apply: last('apply') }
}

t.test('a vault without an index is searched in vain, and not changed by that', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  const first = await opened(path, { create: true })
  await put(first.store, '1')
  t.same(first.engine.query(body('a'), 1, 0), [])
  await first.engine.flush()
  await first.engine.optimize()
  await first.close()
  t.same(tablesOf(path), [])

  const still = await opened(path, { readOnly: true })
  t.same(still.engine.query(body('a'), 1, 0), [])
  t.equal(still.engine.status().texts, 0)
  await t.rejects(still.engine.apply(batchOf({})), { name: 'StoreError', kind: 'locked' })
  await still.close()

  const second = await opened(path)
  await second.engine.apply(batchOf({ texts: [text(1, 'a')] }))
  await second.close()
  t.not(tablesOf(path).length, 0)

  const again = await opened(path, { readOnly: true })
  t.equal(again.engine.query(body('a'), 1, 0).length, 1)
  t.equal(again.engine.status().texts, 1)
  await again.close()
})

function tablesOf(path: string): unknown[] {
  const db = new Database(path, { readonly: true })
  try {
    return db.prepare("select name from sqlite_master where name like 'search%'").pluck().all()
  } finally {
    db.close()
  }
}

t.test(
  'an index that is damaged says so, harms no commit, and is whole when it was cleared',
  async (t) => {
    for (const [how, sql] of [
      [
        'words are noise',
        'update search_body_data set block = randomblob(length(block)) where id > 10',
      ],
      ['words are gone', 'delete from search_body_data'],
      ['a size is gone', 'delete from search_body_docsize where id = 5'],
      ['a table is gone', 'drop table search_body_data'],
      ['another table is gone', 'drop table search_body'],
      ['the state is gone', 'delete from search_state'],
      ['another program has made it', 'update search_state set format = 99'],
    ] as const) {
      const path = join(t.testdir(), 'vault.avfs')
      const before = await opened(path, { create: true })
      await before.engine.apply(
        batchOf({ texts: Array.from({ length: 1000 }, (_, i) => text(i + 1, `quick n${i}`)) }),
      )
      await before.close()
      damage(path, sql)
      const { store, engine, close } = await opened(path)
      const corrupt = { name: 'StoreError', kind: 'corrupt', message: /avfs search --rebuild/ }
      t.throws(() => engine.query(body('quick'), 10, 0), corrupt, how)
      await put(store, '2')
      await engine.clear()
      await engine.apply(batchOf({ texts: [text(5000, 'quick')] }))
      t.same(
        engine.query(body('quick'), 10, 0).map(({ id }) => id),
        [5000],
      )
      t.equal(engine.status().texts, 1)
      t.equal(store.get(setting, ['n'])?.value, '2')
      t.same(await store.verify(), [])
      await close()
    }
  },
)

t.test('a write that meets damage says so, and commits go on', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  const before = await opened(path, { create: true })
  await before.engine.apply(batchOf({ texts: [text(1, 'a')] }))
  await before.close()
  damage(path, 'drop table search_text')
  const { store, engine, close } = await opened(path)
  const corrupt = { name: 'StoreError', kind: 'corrupt', message: /avfs search --rebuild/ }
  const both = Promise.all([
    t.rejects(engine.apply(batchOf({ texts: [text(2, 'b')] })), corrupt),
    put(store, '2'),
  ])
  await both
  t.equal(store.get(setting, ['n'])?.value, '2')
  await close()
})

t.test('commits come between the pieces of a merge', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  const { store, engine, close } = await opened(path, { create: true })
  const random = randomFrom(1)
  const words = () => Array.from({ length: 3000 }, () => `w${random.below(20_000)}`).join(' ')
  for (let i = 0; i < 40; i++)
    await engine.apply(
      batchOf({ texts: Array.from({ length: 10 }, (_, n) => text(i * 10 + n + 1, words())) }),
    )
  let done = false
  const merging = engine.optimize().then(() => {
    done = true
  })
  let commits = 0
  for (; !done; commits++) await put(store, `${commits}`)
  await merging
  t.ok(commits > 5, `${commits} commits`)
  t.equal(segmentsOf(path), 1)
  await close()
})

/** By their pages: those of one page alone are not in the table `search_body_idx`. */
function segmentsOf(path: string): unknown {
  const db = new Database(path, { readonly: true })
  try {
    const sql = 'select count(distinct id >> 37) from search_body_data where id >> 37 > 0'
    return db.prepare(sql).pluck().get()
  } finally {
    db.close()
  }
}

t.test('segments do not pile up while batches come', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  const { engine, close } = await opened(path, { create: true })
  const name = { parts: 'name', whole: '' }
  await Promise.all(
    Array.from({ length: 600 }, (_, i) =>
      engine.apply(
        batchOf({ texts: [text(i + 1, `all n${i}`)], files: [file(i + 1, name, name)] }),
      ),
    ),
  )
  t.equal(engine.query(body('all'), ALL, 0).length, 600)
  const segments = Number(segmentsOf(path))
  t.ok(segments > 0 && segments < 100, `${segments} segments`)
  // Nothing waits any more: they are merged now.
  while (Number(segmentsOf(path)) >= 20) await sleep(10)
  await close()
})

t.test('what is beyond the ranked comes behind them, each once', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  const { engine, close } = await opened(path, { create: true, rankedMax: 100 })
  const texts = Array.from({ length: 250 }, (_, i) => text(i + 1, `all ${'x '.repeat(i % 9)}end`))
  await engine.apply(batchOf({ texts }))
  const all = engine.query(body('all'), ALL, 0)
  t.equal(new Set(all.map(({ id }) => id)).size, 250)
  t.ok(
    all.slice(0, 100).every(({ id, score }) => id > 150 && score > 0),
    'the newest are ranked',
  )
  t.ok(all.slice(100).every(({ score }) => score === 0))
  for (const size of [7, 50, 100, 130])
    for (const plan of [body('all'), and(body('all'), body('end'))]) {
      const paged: number[] = []
      for (let at = 0; at < 300; at += size)
        paged.push(...engine.query(plan, size, at).map(({ id }) => id))
      t.same(
        paged,
        engine.query(plan, ALL, 0).map(({ id }) => id),
        `pages of ${size}`,
      )
      t.equal(paged.length, 250)
    }
  await close()
})

t.test('an index takes less than 60 % of the text, and tells how much', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  const { engine, close } = await opened(path, { create: true })
  let textBytes = 0
  let id = 0
  for (const name of globSync(join(import.meta.dirname, '../../{src,test}/**/*.ts'))) {
    const content = readFileSync(name, 'utf8')
    textBytes += Buffer.byteLength(content)
    const identifiers = content.match(/\w+/g) ?? []
    const parts = identifiers.map((one) => one.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase())
    const whole = parts.filter((one) => one.includes(' ')).map((one) => one.replaceAll(' ', ''))
    await engine.apply(batchOf({ texts: [text(++id, parts.join(' '), whole.join(' '))] }))
  }
  await engine.optimize()
  t.ok(engine.query(body('store error'), ALL, 0).length > 10)
  t.ok(engine.query(find('bodyWhole', 'storeerror'), ALL, 0).length > 10)
  const { bytes } = engine.status()
  await close()
  const db = new Database(path, { readonly: true })
  const onDisk = Number(
    db.prepare("select sum(pgsize) from dbstat where name like 'search%'").pluck().get(),
  )
  db.close()
  t.comment(`${Math.round((100 * onDisk) / textBytes)} % of ${textBytes} bytes`)
  t.ok(onDisk < 0.6 * textBytes, `${onDisk} bytes on the disk for ${textBytes}`)
  t.ok(Math.abs(bytes / onDisk - 1) < 0.2, `${bytes} bytes told, ${onDisk} on the disk`)
})

t.test('a full disk is told as such', async (t) => {
  const path = join(t.testdir(), 'vault.avfs')
  const { store, engine, close } = await opened(path, { create: true })
  await engine.apply(batchOf({ texts: [text(1, 'a')] }))
  const full = openFts5(path, () => Promise.reject(new StoreError('full', 'no room')))
  await t.rejects(full.apply(batchOf({ texts: [text(2, 'b')] })), {
    name: 'StoreError',
    kind: 'full',
  })
  t.same(
    full.query(body('a'), 10, 0).map(({ id }) => id),
    [1],
  )
  await full.close()
  await put(store, '1')
  await close()
})
