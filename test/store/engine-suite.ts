// What every key-value engine must do, below rows and codecs: random batches, ranges and views
// compared with a sorted list of keys, the content after reopening, which openings are refused, and
// invalid bytes. AVFS_SEED repeats a run.

import { join } from 'node:path'
import type { Test } from 'tap'
import {
  BLOCKS,
  GROUP_COUNT,
  type Group,
  type KvEngine,
  type KvOpenOptions,
  type KvRange,
  type KvReader,
  PAST,
  ROWS,
  VALUE_BYTES_MAX,
} from '../../src/store/kv/engine.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'

const CACHE_BYTES = 8 * 1024 * 1024
const ALL = 1_000_000_000
const GROUPS: readonly Group[] = [ROWS, PAST, BLOCKS]

export type Change = readonly [group: Group, key: string, value: Buffer | undefined]

/** Packs changes as engine.ts describes. */
export function pack(changes: readonly Change[]): Buffer {
  return Buffer.concat(
    changes.flatMap(([group, key, value]) => {
      const head = Buffer.alloc(10)
      head.writeUInt8(group, 0)
      head.writeUInt8(value === undefined ? 0 : 1, 1)
      head.writeUInt32LE(key.length, 2)
      head.writeUInt32LE(value?.length ?? 0, 6)
      return [head, Buffer.from(key, 'latin1'), value ?? Buffer.alloc(0)]
    }),
  )
}

export type Entry = readonly [key: string, value: Buffer]

export function unpack(packed: Uint8Array): Entry[] {
  const bytes = Buffer.from(packed)
  const entries: Entry[] = []
  for (let at = 0; at < bytes.length; ) {
    const keyEnd = at + 8 + bytes.readUInt32LE(at)
    const end = keyEnd + bytes.readUInt32LE(at + 4)
    entries.push([bytes.toString('latin1', at + 8, keyEnd), bytes.subarray(keyEnd, end)])
    at = end
  }
  return entries
}

/** Commits changes as one batch. */
export async function put(engine: KvEngine, ...changes: Change[]): Promise<void> {
  const packed = pack(changes)
  return engine.write(packed, packed.length)
}

export function get(reader: KvReader, group: Group, key: string): string | undefined {
  const value = reader.get(group, Buffer.from(key, 'latin1'))
  return value === undefined ? undefined : Buffer.from(value).toString('latin1')
}

/** All entries of a group. */
export function all(reader: KvReader, group: Group): Entry[] {
  const whole = { group, gte: Buffer.alloc(0), lt: undefined, reverse: false }
  return unpack(reader.range({ ...whole, limit: ALL, bytes: ALL }))
}

/** What an engine should hold: slow, and too simple to be wrong. */
class Model {
  readonly #groups: Map<string, Buffer>[]

  constructor(groups?: readonly Map<string, Buffer>[]) {
    this.#groups = Array.from({ length: GROUP_COUNT }, (_, i) => new Map(groups?.[i]))
  }

  copy(): Model {
    return new Model(this.#groups)
  }

  apply(changes: readonly Change[]): void {
    for (const [group, key, value] of changes) {
      if (value === undefined) this.#of(group).delete(key)
      else this.#of(group).set(key, value)
    }
  }

  get(group: Group, key: string): Buffer | undefined {
    return this.#of(group).get(key)
  }

  keys(group: Group): string[] {
    return [...this.#of(group).keys()].sort()
  }

  range({ group, gte, lt, reverse, limit, bytes }: KvRange): Entry[] {
    const from = Buffer.from(gte).toString('latin1')
    const to = lt === undefined ? undefined : Buffer.from(lt).toString('latin1')
    const keys = this.keys(group).filter((key) => key >= from && (to === undefined || key < to))
    if (reverse) keys.reverse()
    const entries: Entry[] = []
    let length = 0
    for (const key of keys) {
      if (entries.length >= limit || (entries.length > 0 && length >= bytes)) break
      const value = this.get(group, key) as Buffer
      entries.push([key, value])
      length += 8 + key.length + value.length
    }
    return entries
  }

  #of(group: Group): Map<string, Buffer> {
    return this.#groups[group] as Map<string, Buffer>
  }
}

/**
 * Few keys, so that changes meet; among them the empty one, prefixes of others and bytes at either
 * end.
 */
function randomKey(random: Random): string {
  const parts = ['', '\0', 'a', 'ab', 'b\xff', '\xff', '\xff\xff', 'k']
  return random.pick(parts) + random.pick(parts) + random.pick(['', '1', '2', '\x80'])
}

/**
 * Most are small; some are just below, at and above the lengths at which engines store values
 * elsewhere.
 */
function randomLength(random: Random): number {
  if (random.below(6) > 0) return random.below(300)
  return random.pick([4095, 4096, 16_384, 65_535, 65_536, 65_537, 131_072, VALUE_BYTES_MAX])
}

/** Each key once. */
export function randomChanges(random: Random, count: number): Change[] {
  const changes = new Map<string, Change>()
  for (let i = 0; i < count; i++) {
    const group = random.pick(GROUPS)
    const key = randomKey(random)
    const value = random.below(3) === 0 ? undefined : random.bytes(randomLength(random))
    changes.set(`${group}${key}`, [group, key, value])
  }
  return [...changes.values()]
}

function randomRange(random: Random): KvRange {
  const bound = () => Buffer.from(randomKey(random), 'latin1')
  return {
    group: random.pick(GROUPS),
    gte: random.below(3) === 0 ? Buffer.alloc(0) : bound(),
    lt: random.below(3) === 0 ? undefined : bound(),
    reverse: random.below(2) === 0,
    limit: random.pick([0, 1, 3, ALL]),
    bytes: random.pick([0, 1, 500, 100_000, ALL]),
  }
}

/** What differs between a reader and a model, in words. */
function differences(reader: KvReader, model: Model, random: Random): string[] {
  const found: string[] = []
  for (let i = 0; i < 20; i++) {
    const range = randomRange(random)
    const told = unpack(reader.range(range))
    const wanted = model.range(range)
    const same =
      told.length === wanted.length &&
      told.every(([key, value], n) => key === wanted[n]?.[0] && wanted[n]?.[1].equals(value))
    if (same) continue
    const keys = (entries: Entry[]) => entries.map(([key, value]) => [key, value.length])
    found.push(JSON.stringify({ range, told: keys(told), wanted: keys(wanted) }))
  }
  for (let i = 0; i < 40; i++) {
    const group = random.pick(GROUPS)
    const key = randomKey(random)
    const value = reader.get(group, Buffer.from(key, 'latin1'))
    const wanted = model.get(group, key)
    const same =
      value === undefined || wanted === undefined ? value === wanted : wanted.equals(value)
    if (!same)
      found.push(JSON.stringify({ group, key, told: value?.length, wanted: wanted?.length }))
  }
  return found
}

export type OpenEngine = (path: string, options: KvOpenOptions) => Promise<KvEngine>

/** Runs the suite; `open` is the adapter's. */
export function engineSuite(t: Test, name: string, open: OpenEngine): void {
  const made = (path: string) =>
    open(path, { create: true, readOnly: false, cacheBytes: CACHE_BYTES })
  const opened = (path: string, readOnly = false) =>
    open(path, { create: false, readOnly, cacheBytes: CACHE_BYTES })

  t.test(`${name}: random batches, ranges and views agree with a plain list`, async (t) => {
    const seed = seedOf('AVFS_SEED')
    t.comment(`AVFS_SEED=${seed}`)
    const random = randomFrom(seed)
    const path = join(t.testdir(), 'vault')
    let engine = await made(path)
    const model = new Model()
    const views = new Map<Awaited<ReturnType<KvEngine['view']>>, Model>()
    const found: string[] = []
    for (let step = 0; step < 250 && found.length === 0; step++) {
      const action = random.below(40)
      if (action < 26) {
        const batches = Array.from({ length: 1 + random.below(3) }, () =>
          randomChanges(random, random.below(12)),
        )
        await Promise.all(batches.map((changes) => put(engine, ...changes)))
        for (const changes of batches) model.apply(changes)
      } else if (action < 32) {
        if (views.size < 4) views.set(await engine.view(), model.copy())
      } else if (action < 37) {
        for (const view of views.keys()) {
          await view.close()
          views.delete(view)
          break
        }
      } else if (action === 37) {
        for (const view of views.keys()) await view.close()
        views.clear()
        await engine.close()
        engine = await opened(path)
      } else if (action === 38) {
        await engine.compact()
      } else {
        t.same(await engine.verify(), [])
      }
      found.push(...differences(engine, model, random))
      for (const [view, then] of views) found.push(...differences(view, then, random))
      if (found.length > 0) t.fail(`step ${step}, action ${action}`)
    }
    t.same(found.slice(0, 5), [])
    // Closes with views open.
    await engine.close()
    engine = await opened(path)
    t.same(differences(engine, model, random), [])
    for (const view of views.keys()) await view.close()
    await engine.close()
  })

  t.test(
    `${name}: a batch may be reused when write returns, and batches apply in order`,
    async (t) => {
      const engine = await made(join(t.testdir(), 'vault'))
      const running: Promise<void>[] = []
      const buffer = Buffer.alloc(100_000)
      for (let i = 0; i < 30; i++) {
        const packed = pack([
          [ROWS, 'key', Buffer.from(`${i}`)],
          [BLOCKS, `${i}`, Buffer.alloc(i % 2 === 0 ? 90_000 : 10, i)],
        ])
        packed.copy(buffer)
        running.push(engine.write(buffer, packed.length))
        buffer.fill(0xee)
      }
      await Promise.all(running)
      t.equal(get(engine, ROWS, 'key'), '29')
      const blocks = all(engine, BLOCKS)
      t.equal(blocks.length, 30)
      t.ok(blocks.every(([key, value]) => value.every((byte) => byte === Number(key))))
      await engine.close()
    },
  )

  t.test(`${name}: reads never see a part of a batch`, async (t) => {
    const engine = await made(join(t.testdir(), 'vault'))
    let isDone = false
    const writing = (async () => {
      for (let i = 0; i < 40; i++) {
        const value = Buffer.alloc(3000, i)
        const keys = Array.from({ length: 60 }, (_, k): Change => [PAST, `k${k}`, value])
        await put(engine, ...keys)
      }
      isDone = true
    })()
    let torn = 0
    while (!isDone) {
      const values = all(engine, PAST).map(([, value]) => value[0])
      if (new Set(values).size > 1) torn++
      await new Promise(setImmediate)
    }
    await writing
    t.equal(torn, 0)
    await engine.close()
  })

  t.test(`${name}: reads, batches and views go on while it compacts`, async (t) => {
    const engine = await made(join(t.testdir(), 'vault'))
    const random = randomFrom(5)
    for (let i = 0; i < 20; i++) {
      const blocks = Array.from(
        { length: 16 },
        (_, k): Change => [BLOCKS, `${k % 8}-${i % 10}`, random.bytes(60_000)],
      )
      await put(engine, ...blocks.slice(0, 8), [ROWS, `${i}`, Buffer.from('before')])
    }
    const view = await engine.view()
    const before = engine.stats().bytes
    const compacting = engine.compact()
    for (let i = 0; i < 20; i += 2) await put(engine, [ROWS, `${i}`, Buffer.from('after')])
    await put(engine, [ROWS, '1', undefined], [BLOCKS, '0-0', undefined])
    t.equal(get(engine, ROWS, '0'), 'after')
    await compacting
    const rows = all(engine, ROWS)
    t.equal(rows.length, 19)
    t.ok(rows.every(([key, value]) => `${value}` === (Number(key) % 2 === 0 ? 'after' : 'before')))
    t.equal(all(engine, BLOCKS).length, 79)
    t.ok(all(view, ROWS).every(([, value]) => `${value}` === 'before'))
    t.equal(all(view, BLOCKS).length, 80)
    await view.close()
    await engine.compact()
    t.ok(engine.stats().bytes < before, `${before} bytes before, ${engine.stats().bytes} after`)
    t.same(await engine.verify(), [])
    await engine.close()
  })

  t.test(`${name}: who is refused, and why`, async (t) => {
    const dir = t.testdir({ other: { file: 'text' }, text: 'x' })
    const path = join(dir, 'vault')
    await t.rejects(opened(path), { name: 'StoreError', kind: 'io' }, 'nothing is there')
    await t.rejects(opened(join(dir, 'text')), { name: 'StoreError' }, 'a file')
    await t.rejects(opened(join(dir, 'other')), { name: 'StoreError' }, 'another folder')
    await t.rejects(made(join(dir, 'other')), { name: 'StoreError' }, 'made in another folder')
    await t.rejects(made(join(dir, 'no/vault')), { name: 'StoreError', kind: 'io' })
    const engine = await made(path)
    await t.rejects(opened(path), { name: 'StoreError', kind: 'busy' })
    await t.rejects(opened(path, true), { name: 'StoreError', kind: 'busy' })
    await put(engine, [ROWS, 'a', Buffer.from('1')])
    await engine.close()

    const reader = await opened(path, true)
    t.equal(get(reader, ROWS, 'a'), '1')
    await t.rejects(put(reader, [ROWS, 'a', undefined]), { name: 'StoreError', kind: 'locked' })
    await t.rejects(reader.compact(), { name: 'StoreError', kind: 'locked' })
    t.same(await reader.verify(), [])
    const view = await reader.view()
    t.equal(get(view, ROWS, 'a'), '1')
    await view.close()
    await view.close()
    await reader.close()
  })

  t.test(`${name}: refuses every call when it is closed`, async (t) => {
    const engine = await made(join(t.testdir(), 'vault'))
    const view = await engine.view()
    const running = put(engine, [ROWS, 'a', Buffer.from('1')])
    const compacting = engine.compact().then(
      () => 'done',
      (error) => error.kind,
    )
    const closing = engine.close()
    const closed = { name: 'StoreError', kind: 'closed' }
    await t.rejects(put(engine, [ROWS, 'a', undefined]), closed)
    await closing
    await running
    t.match(await compacting, /done|closed/)
    t.throws(() => get(engine, ROWS, 'a'), closed)
    t.throws(() => all(engine, ROWS), closed)
    t.throws(() => get(view, ROWS, 'a'), closed)
    t.throws(() => engine.stats(), closed)
    await t.rejects(engine.view(), closed)
    await t.rejects(engine.compact(), closed)
    await t.rejects(engine.verify(), closed)
    await view.close()
    await engine.close()
  })

  t.test(`${name}: packed bytes that are no changes are an error and change nothing`, async (t) => {
    const seed = seedOf('AVFS_SEED')
    t.comment(`AVFS_SEED=${seed}`)
    const random = randomFrom(seed)
    const engine = await made(join(t.testdir(), 'vault'))
    await put(engine, [ROWS, 'a', Buffer.from('1')])
    const refused = async (bytes: Uint8Array, length: number) => {
      try {
        await engine.write(bytes, length)
        return false
      } catch {
        return true
      }
    }
    const whole = pack([
      [ROWS, 'a', Buffer.from('2')],
      [PAST, 'b', Buffer.from('3')],
      [BLOCKS, 'c', undefined],
    ])
    // A cut at a change's end is a batch of fewer changes.
    const ends = [0, 12, 24]
    for (let length = 1; length < whole.length; length++) {
      if (ends.includes(length)) continue
      t.ok(await refused(whole, length), `cut at ${length}`)
    }
    t.ok(await refused(whole, whole.length + 1), 'longer than the buffer')
    let count = 0
    for (let i = 0; i < 500; i++) {
      const bytes = Buffer.from(whole)
      // Group, kind or the high bytes of a length.
      for (const at of [0, 1, 4, 5, 8, 9])
        if (random.below(3) === 0) bytes[at] = 3 + random.below(250)
      if (bytes.equals(whole)) continue
      if (!(await refused(bytes, bytes.length))) t.fail(bytes.toString('hex'))
      const noise = random.bytes(1 + random.below(200))
      noise[0] = 3 + random.below(250)
      if (!(await refused(noise, noise.length))) t.fail(noise.toString('hex'))
      count++
    }
    t.ok(count > 300)
    t.same(
      GROUPS.map((group) => all(engine, group).map(([key, value]) => `${key}=${value}`)),
      [['a=1'], [], []],
    )
    await engine.close()
  })
}
