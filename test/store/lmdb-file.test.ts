// What only LMDB does: its files, what it accepts as a vault, batches of any size, and compaction
// by a copy.

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { open } from 'lmdb'
import t, { type Test } from 'tap'
import { extent, orphan, setting } from '../../src/store/collections.ts'
import { openEngine } from '../../src/store/open.ts'
import { randomFrom } from '../support/random.ts'
import { changes, putBatch } from './rows.ts'

const ALL = 1_000_000

/** The path of a new vault with one setting, closed. */
async function made(t: Test): Promise<string> {
  const path = join(t.testdir(), 'vault.lmdb')
  const store = await openEngine(path, { create: true })
  await store.commit(putBatch(setting, { name: 'a', value: '1' }))
  await store.close()
  return path
}

t.test('a closed vault is one file and its lock, for its owner alone', async (t) => {
  const path = await made(t)
  t.same(readdirSync(dirname(path)), ['vault.lmdb', 'vault.lmdb-lock'])
  t.equal(statSync(path).mode & 0o777, 0o600)
  const store = await openEngine(path)
  await store.compact()
  t.equal(statSync(path).mode & 0o777, 0o600, 'also the copy that a compaction puts there')
  await store.close()
  t.same(readdirSync(dirname(path)), ['vault.lmdb', 'vault.lmdb-lock'])
})

t.test('what is no vault is refused with a line that says so, and left as it is', async (t) => {
  const dir = t.testdir({ 'text.lmdb': 'x'.repeat(50_000), 'short.lmdb': 'x', 'empty.lmdb': '' })
  const other = open({ path: join(dir, 'other.lmdb'), noSubdir: true })
  await other.put('a', 'b')
  await other.close()
  for (const name of ['text', 'short', 'empty', 'other']) {
    const path = join(dir, `${name}.lmdb`)
    const before = readFileSync(path)
    // The binding would die of it, not throw.
    for (const readOnly of [false, true]) {
      const refusal = { kind: 'format', message: `${path} is not an avfs vault` }
      await t.rejects(openEngine(path, { readOnly }), refusal, `${name} ${readOnly}`)
    }
    t.ok(before.equals(readFileSync(path)), `${name} is as it was`)
  }
  const missing = { kind: 'io', message: /there is no vault at/ }
  await t.rejects(openEngine(join(dir, 'none.lmdb')), missing)
  const nowhere = openEngine(join(dir, 'no/v.lmdb'), { create: true })
  await t.rejects(nowhere, { kind: 'io', message: /no folder/ })
})

t.test('a store that only reads changes no byte of the file', async (t) => {
  const path = await made(t)
  const before = readFileSync(path)
  const reader = await openEngine(path, { readOnly: true })
  t.equal(reader.get(setting, ['a'])?.value, '1')
  await t.rejects(reader.commit([]), { kind: 'locked', message: /reading only/ })
  t.same(await reader.verify(), [])
  await reader.close()
  t.ok(before.equals(readFileSync(path)))
})

t.test('a batch of tens of thousands of rows is one transaction, to readers too', async (t) => {
  const path = await made(t)
  const store = await openEngine(path)
  const count = 30_000
  let running = true
  const counts = new Set<number>()
  const reader = (async () => {
    while (running) {
      counts.add(store.project(orphan, ['ino'], { limit: ALL }).length)
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  for (let batch = 0; batch < 3; batch++) {
    const rows = Array.from({ length: count }, (_, i) => ({ ino: batch * count + i }))
    await store.commit([changes(orphan, rows)])
  }
  running = false
  await reader
  t.same(
    [...counts].filter((found) => found % count !== 0),
    [],
  )
  await store.close()
})

t.test('the map grows by itself', async (t) => {
  const path = await made(t)
  const store = await openEngine(path)
  const random = randomFrom(5)
  const mapBefore = Number(store.stats().engine.mapBytes)
  for (let ino = 0; ino < 6; ino++) {
    const rows = Array.from({ length: 100 }, (_, offset) => ({
      ...{ ino, offset, length: 131_072, hash: '', blockOffset: 0, crc: 0 },
      ...{ data: random.bytes(131_072), since: 1 },
    }))
    await store.commit([changes(extent, rows)])
    t.equal(store.project(extent, ['ino'], { limit: ALL }).length, 100 * (ino + 1))
  }
  const { engine, bytes } = store.stats()
  t.ok(Number(engine.mapBytes) > mapBefore)
  t.ok(bytes > 6 * 100 * 131_072)
  t.ok(Number(engine.mapUsedBytes) <= Number(engine.mapBytes))
  await store.close()
})

t.test('what a killed compaction left is removed, and never taken for the vault', async (t) => {
  const path = await made(t)
  mkdirSync(`${path}.compact`)
  writeFileSync(`${path}.compact/vault.lmdb`, 'half a copy')
  const store = await openEngine(path)
  t.notOk(existsSync(`${path}.compact`))
  t.equal(store.get(setting, ['a'])?.value, '1')
  await store.close()
})

t.test('reads go on while it is compacted, but not with a view open', async (t) => {
  const path = await made(t)
  const store = await openEngine(path)
  const rows = Array.from({ length: 20_000 }, (_, ino) => ({ ino }))
  await store.commit([changes(orphan, rows)])
  await store.commit([
    changes(
      orphan,
      [],
      rows.slice(10).map(({ ino }) => [ino]),
    ),
  ])
  const view = await store.view()
  await t.rejects(store.compact(), { kind: 'busy', message: /read as a whole/ })
  t.equal(view.scan(orphan, { limit: ALL }).length, 10)
  await view.close()
  const before = store.stats().bytes
  let running = true
  const compaction = store.compact().finally(() => {
    running = false
  })
  await new Promise((resolve) => setImmediate(resolve))
  const late = store.view()
  let reads = 0
  while (running) {
    if (store.scan(orphan, { limit: ALL }).length !== 10) t.fail('a read saw another state')
    reads++
    await new Promise((resolve) => setImmediate(resolve))
  }
  await compaction
  t.ok(reads > 0)
  t.ok(store.stats().bytes < before)
  await store.commit(putBatch(orphan, { ino: 99 }))
  const after = await late
  t.ok(after.scan(orphan, { limit: ALL }).length >= 10, 'a view that was asked for meanwhile')
  await after.close()
  await store.compact()
  t.equal(store.scan(orphan, { limit: ALL }).length, 11, 'it can be compacted again')
  await store.close()
})
