// What KvStore does beside the codec: what it accepts as a vault, the order of commits when one
// fails, and what a check finds.

import t from 'tap'
import { block, hold, orphan, setting } from '../../src/store/collections.ts'
import { BLOCKS, ROWS } from '../../src/store/kv/engine.ts'
import { openKvStore } from '../../src/store/kv/kv-store.ts'
import { META_KEY } from '../../src/store/kv/layout.ts'
import type { Store } from '../../src/store/store.ts'
import { MemoryEngine } from './memory-engine.ts'
import { changes, putBatch } from './rows.ts'

const options = { create: false, readOnly: false, cacheBytes: 0 }

async function made(): Promise<{ engine: MemoryEngine; store: Store }> {
  const engine = new MemoryEngine()
  return { engine, store: await openKvStore(async () => engine, 'v', { ...options, create: true }) }
}

function opened(engine: MemoryEngine, more: Partial<typeof options> = {}): Promise<Store> {
  return openKvStore(async () => engine, 'v', { ...options, ...more })
}

t.test(
  'a vault says what it is, and is made once, and again only while it has no rows',
  async (t) => {
    const { engine, store } = await made()
    t.equal(Buffer.from(engine.get(ROWS, META_KEY) ?? []).toString('latin1'), 'avfs\x01')
    await (await opened(engine, { create: true })).close()
    await store.commit(putBatch(orphan, { ino: 1 }))
    await t.rejects(opened(engine, { create: true }), { kind: 'io', message: /already/ })
    t.same((await opened(engine)).get(orphan, [1]), { ino: 1 })
  },
)

t.test('what is no vault, or that of a newer avfs, is refused', async (t) => {
  const { engine } = await made()
  const meta = (text: string) => [
    { key: Buffer.from(META_KEY), value: Buffer.from(text, 'latin1') },
  ]
  engine.groups[ROWS] = meta('avfs\x02')
  await t.rejects(opened(engine), {
    kind: 'format',
    message: 'v was written by a newer avfs: it has format 2, this one reads up to 1',
  })
  for (const text of ['', 'avfs', 'avfsx1', 'lmdb\x01']) {
    engine.groups[ROWS] = meta(text)
    await t.rejects(opened(engine), { kind: 'format', message: 'v is not an avfs vault' })
  }
  engine.groups[ROWS] = [{ key: Buffer.from('k'), value: Buffer.from('v') }]
  const refusal = { kind: 'format', message: /not an avfs vault/ }
  await t.rejects(opened(engine, { create: true }), refusal, 'nor is it made into one')
})

t.test('commits behind one that failed are refused, later ones are tried', async (t) => {
  const { engine, store } = await made()
  engine.refuse = 1
  const commits = [1, 2, 3].map((ino) => store.commit(putBatch(orphan, { ino })))
  const outcomes = await Promise.allSettled([...commits, store.commit([])])
  const kinds = outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.message)
  const behind = 'not tried, because a commit before it failed: no room'
  t.same(kinds, ['no room', behind, behind, behind])
  t.same(store.scan(orphan, { limit: 9 }), [])
  await store.commit(putBatch(orphan, { ino: 4 }))
  t.same(store.scan(orphan, { limit: 9 }), [{ ino: 4 }])
})

t.test('a store that only reads takes no commit', async (t) => {
  const { engine } = await made()
  const reader = await opened(engine, { readOnly: true })
  const refusal = { kind: 'locked', message: /reading only/ }
  await t.rejects(reader.commit([]), refusal)
  await t.rejects(reader.compact(), refusal)
  t.same(await reader.verify(), [])
})

t.test('a key that no engine takes is refused, and nothing of its batch is written', async (t) => {
  const { store } = await made()
  const name = 'x'.repeat(1978)
  await t.rejects(
    store.commit([
      changes(orphan, [{ ino: 1 }]),
      changes(hold, [{ name, moment: 0, createdAt: 0 }]),
    ]),
    { kind: 'io', message: /a key of 1979 bytes; this engine takes 1978/ },
  )
  t.same(store.scan(orphan, { limit: 9 }), [])
  await store.commit(putBatch(hold, { name: name.slice(1), moment: 0, createdAt: 0 }))
})

t.test(
  'the bytes of a block lie apart, and a check finds those that are missing or too many',
  async (t) => {
    const { engine, store } = await made()
    const row = (hash: string, data: Buffer | null) => ({ hash, size: 3, codec: 0, data })
    const rows = [row('a', Buffer.from('abc')), row('b', null), row('c', Buffer.alloc(0))]
    await store.commit([changes(block, rows)])
    t.same(
      engine.groups[BLOCKS].map(({ value }) => value.toString()),
      ['abc', ''],
    )
    t.same(store.scan(block, { limit: 9 }), rows)
    t.same(store.project(block, ['hash', 'size'], { limit: 1, reverse: true }), [
      { hash: 'c', size: 3 },
    ])
    await store.commit([changes(block, [row('a', null)], [['c']])])
    t.same(engine.groups[BLOCKS], [], 'they go with their row, and when it has none any more')
    await store.commit([changes(block, rows)])
    engine.groups[BLOCKS].shift()
    engine.groups[BLOCKS].push({ key: Buffer.from('\x09z'), value: Buffer.from('lost') })
    t.match(await store.verify(), [/a row of block without its bytes/, /bytes of no row of block/])
    const corrupt = { name: 'StoreError', kind: 'corrupt' }
    t.throws(() => store.get(block, ['a']), corrupt)
    t.throws(() => store.scan(block, { limit: 9 }), corrupt)
    t.equal(store.project(block, ['hash'], { limit: 9 }).length, 3, 'walks do not need them')
  },
)

t.test('a check names every entry that is no row, and goes on behind it', async (t) => {
  const { engine, store } = await made()
  await store.commit([changes(setting, [{ name: 'a', value: '1' }])])
  const bad = (key: number[]) => ({ key: Buffer.from(key), value: Buffer.from('junk') })
  engine.groups[ROWS].push(bad([1, 98]), bad([18, 9, 7]), bad([250]))
  const findings = await store.verify()
  t.match(findings, [
    /setting: .*unknown format.* \(key 0162\)/,
    /orphan: .*/,
    /no collection.* \(key fa\)/,
  ])
  t.equal(findings.length, 3)
  t.throws(() => store.get(setting, ['b']), { name: 'StoreError', kind: 'corrupt' })
  t.equal(store.get(setting, ['a'])?.value, '1')
})
