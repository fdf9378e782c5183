// Long values of sled, which are stored beside its tree: one that no reader can reach gives its
// room back at once, one that a reader can reach stays.

import { readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { BLOCKS, type KvEngine, PAST, ROWS } from '../../src/store/kv/engine.ts'
import { openSled } from '../../src/store/sled.ts'
import { randomFrom } from '../support/random.ts'
import { get, put } from './engine-suite.ts'

const COUNT = 20
const BYTES = 200_000
const options = { create: true, readOnly: false, cacheBytes: 8_000_000 }
const random = randomFrom(1)

async function filled(t: Test): Promise<{ path: string; engine: KvEngine; values: Buffer[] }> {
  const path = join(t.testdir(), 'vault')
  const engine = await openSled(path, options)
  const values = Array.from({ length: COUNT }, () => random.bytes(BYTES))
  await put(engine, ...values.map((value, i) => [BLOCKS, `${i}`, value] as const))
  return { path, engine, values }
}

/** Which of the values a reader gives as they were written. */
function whole(reader: Pick<KvEngine, 'get'>, values: readonly Buffer[]): number[] {
  return values.flatMap((value, i) => {
    const found = reader.get(BLOCKS, Buffer.from(`${i}`))
    return found !== undefined && value.equals(found) ? [i] : []
  })
}

const valueBytes = (engine: KvEngine): number => Number(engine.stats().engine.valueBytes)
const all = Array.from({ length: COUNT }, (_, i) => i)

t.test('what is deleted or replaced gives its room back, and the rest is whole', async (t) => {
  const { path, engine, values } = await filled(t)
  t.ok(valueBytes(engine) >= COUNT * BYTES)
  for (const i of all.slice(0, 10)) await put(engine, [BLOCKS, `${i}`, undefined])
  for (const i of all.slice(10, 15)) await put(engine, [BLOCKS, `${i}`, Buffer.from('short')])
  t.ok(valueBytes(engine) < 6 * BYTES, `${valueBytes(engine)} bytes`)
  t.same(whole(engine, values), all.slice(15))
  t.same(await engine.verify(), [])
  await engine.close()
  const again = await openSled(path, options)
  t.same(whole(again, values), all.slice(15))
  t.equal(get(again, BLOCKS, '12'), 'short')
  t.ok(again.stats().bytes < 6 * BYTES + 8 * 1024 ** 2)
  await again.close()
})

t.test('a view keeps what is deleted while it is open', async (t) => {
  const { engine, values } = await filled(t)
  const view = await engine.view()
  await put(engine, ...all.map((i) => [BLOCKS, `${i}`, undefined] as const))
  t.ok(valueBytes(engine) < BYTES)
  t.same(whole(view, values), all)
  t.same(whole(engine, values), [])
  await view.close()
  await engine.close()
})

t.test('a compaction takes along what lies between what was deleted', async (t) => {
  const { path, engine, values } = await filled(t)
  await put(
    engine,
    ...all.filter((i) => i % 2 === 0).map((i) => [BLOCKS, `${i}`, undefined] as const),
  )
  const compaction = engine.compact()
  await put(engine, [BLOCKS, '1', undefined], [BLOCKS, 'new', random.bytes(BYTES)])
  await compaction
  const odd = all.filter((i) => i % 2 === 1 && i !== 1)
  t.same(whole(engine, values), odd)
  t.equal(engine.get(BLOCKS, Buffer.from('new'))?.length, BYTES)
  await engine.close()
  const again = await openSled(path, options)
  t.same(whole(again, values), odd)
  t.same(await again.verify(), [])
  await again.close()
})

t.test('a file of values that was cut off is told, and only what was cut is lost', async (t) => {
  const { path, engine, values } = await filled(t)
  await put(engine, [ROWS, 'row', Buffer.from('here')])
  await engine.close()
  const folder = readdirSync(path).find((name) => /^\d+$/.test(name)) ?? ''
  const file = join(path, folder, 'values')
  truncateSync(file, statSync(file).size - 10)
  const again = await openSled(path, options)
  const lost = Buffer.from(`${orderOf(values).at(-1)}`)
  t.throws(() => again.get(BLOCKS, lost), { name: 'StoreError', kind: 'corrupt' })
  t.equal(get(again, ROWS, 'row'), 'here')
  t.equal((await again.verify()).length, 1)
  await again.close()
})

/** The numbers of values in the order of their keys, in which a batch is written. */
function orderOf(values: readonly Buffer[]): number[] {
  return values.map((_, i) => i).sort((one, other) => (`${one}` < `${other}` ? -1 : 1))
}

t.test(
  'what zstd makes smaller is, in rows and their past, and comes back as it was',
  async (t) => {
    const path = join(t.testdir(), 'vault')
    const engine = await openSled(path, options)
    const texts = [600, 5000, 60_000, 1_000_000].map((length) =>
      Buffer.from(Array.from({ length: length / 10 }, (_, i) => `${1e8 + i}\n`).join('')),
    )
    for (const [i, text] of texts.entries())
      await put(engine, [ROWS, `${i}`, text], [PAST, `${i}`, text])
    t.ok(valueBytes(engine) < 1_000_000, `${valueBytes(engine)} bytes`)
    for (const group of [ROWS, PAST] as const)
      for (const [i, text] of texts.entries())
        t.ok(text.equals(engine.get(group, Buffer.from(`${i}`)) ?? new Uint8Array()), `${i}`)
    t.same(await engine.verify(), [])
    await engine.close()
  },
)
