// What every engine must do. An engine's own test file calls storeSuite with a way to open it,
// which runs all of this. AVFS_SEED repeats a run with random rows.

import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import {
  type Collection,
  collections,
  entry,
  extent,
  extentPast,
  hold,
  type Key,
  orphan,
  setting,
  version,
} from '../../src/store/collections.ts'
import { compareKeys } from '../../src/store/keys.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { type Batch, Fault, type Range, type Store, StoreError } from '../../src/store/store.ts'
import { filesWith } from '../support/disk.ts'
import { failing } from '../support/failing-store.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { projected, scanned } from './answers.ts'
import {
  type AnyCollection,
  changes,
  keyOfRow,
  Model,
  orderOf,
  plain,
  putBatch,
  randomBatch,
  randomRow,
} from './rows.ts'
import { testValues } from './suite-values.ts'

/** Opens the store at a path: a new one where nothing is, else the one that is there. */
export type OpenStore = (path: string) => Promise<Store>

const ALL = 1_000_000
/** Keys beyond this are not tried. */
const KEY_BYTES_TRIED = 100_000

/** Makes a test with a new store, which is closed at its end. */
export type StoreTest = (
  title: string,
  body: (t: Test, store: Store, path: string) => Promise<void>,
) => void

/** Runs the whole suite as subtests of t. */
export function storeSuite(t: Test, name: string, open: OpenStore): void {
  const test: StoreTest = (title, body) =>
    t.test(`${name}: ${title}`, async (t) => {
      const path = join(t.testdir(), 'vault.avfs')
      const store = await open(path)
      // Not a teardown: tap removes the folder before it runs those.
      try {
        await body(t, store, path)
      } finally {
        await store.close()
      }
    })

  test('projects rows onto some columns', async (t, store) => {
    const row = { ino: 1, offset: 0, length: 3, hash: '\xff\x01', blockOffset: 0, crc: 7, since: 5 }
    const rows = [0, 10, 20].map((offset) => ({ ...row, offset, data: new Uint8Array(3) }))
    const name = {
      parent: 1,
      name: '\xff',
      ino: 2,
      type: 8,
      origin: 0 as const,
      actor: 0,
      fromParent: 0,
      fromName: '',
      since: 1,
    }
    await store.commit([changes(extent, rows), changes(entry, [name as never])])
    const fields = ['offset', 'hash'] as const
    const range = { gte: [1, 5], lt: [2], limit: 9 }
    t.same(await projected(store, extent, fields, range), [
      { offset: 10, hash: '\xff\x01' },
      { offset: 20, hash: '\xff\x01' },
    ])
    t.same(
      await projected(store, extent, ['ino'], { gte: [1], lt: [2], reverse: true, limit: 1 }),
      [{ ino: 1 }],
    )
    t.same(
      await projected(store, entry, ['name'], { limit: 9 }),
      [{ name: '\xff' }],
      'names are bytes',
    )
    t.same(await projected(store, extent, ['data'], { limit: 1 }), [{ data: new Uint8Array(3) }])
  })

  test('a view keeps what was committed when it was made, and takes no commit', async (t, store) => {
    await store.commit([changes(orphan, [{ ino: 1 }, { ino: 3 }])])
    const view = await store.view()
    try {
      await store.commit([changes(orphan, [{ ino: 2 }], [[1]])])
      t.same(await scanned(view, orphan, { limit: 9 }), [{ ino: 1 }, { ino: 3 }])
      t.same(await scanned(view, orphan, { limit: 1, reverse: true }), [{ ino: 3 }])
      t.same(view.get(orphan, [1]), { ino: 1 })
      t.equal(view.get(orphan, [2]), undefined)
      t.same(await scanned(store, orphan, { limit: 9 }), [{ ino: 2 }, { ino: 3 }])
      await t.rejects(
        view.commit([changes(orphan, [{ ino: 9 }])]),
        new StoreError('locked', 'the vault is open for reading only'),
      )
    } finally {
      await view.close()
    }
    t.same(
      await scanned(store, orphan, { limit: 9 }),
      [{ ino: 2 }, { ino: 3 }],
      'the store is still open',
    )
  })

  test('says what it is', async (t, store) => {
    const { traits } = store
    t.equal(traits.backend, name)
    t.ok(traits.keyBytesMax >= 8 + 255 + 8, 'the longest name fits into a key')
    t.ok(traits.durability.length > 0)
  })

  test('takes keys up to the length it says, and none longer', async (t, store) => {
    const { keyBytesMax } = store.traits
    // A collection's number is a part of the key.
    const longest = Math.min(keyBytesMax, KEY_BYTES_TRIED) - 1
    const row = (length: number) => ({ name: 'x'.repeat(length), moment: 0, createdAt: 0 })
    await store.commit([changes(hold, [row(longest)])])
    t.same(await scanned(store, hold, { limit: ALL }), [row(longest)])
    t.same(store.get(hold, [row(longest).name]), row(longest))
    if (keyBytesMax > KEY_BYTES_TRIED) return
    await t.rejects(store.commit([changes(hold, [row(longest + 1)])]), {
      kind: 'io',
      message: new RegExp(`a key of ${longest + 2} bytes`),
    })
    t.equal((await scanned(store, hold, { limit: ALL })).length, 1)
  })

  test('compresses if and only if it says so', async (t, store) => {
    const { compresses, persistent } = store.traits
    if (!persistent) return
    // Each line is another one, so that nothing but compression makes them small.
    const lines = (ino: number) =>
      Array.from({ length: 1500 }, (_, i) => `file ${ino}, line ${i}: all is well\n`)
    const rows = Array.from({ length: 100 }, (_, ino) => {
      const data = Buffer.from(lines(ino).join(''))
      return {
        ino,
        offset: 0,
        length: data.length,
        hash: '',
        blockOffset: 0,
        crc: 0,
        data,
        since: 1,
      }
    })
    const plainBytes = rows.reduce((sum, { length }) => sum + length, 0)
    await store.commit([changes(extent, rows)])
    await store.compact()
    const { bytes } = store.stats()
    t.equal(bytes < plainBytes / 2, compresses, `${plainBytes} bytes take ${bytes}`)
  })

  test('throws Fault from a first scan if and only if it says so', async (t, store, path) => {
    await store.commit([changes(orphan, [{ ino: 1 }])])
    await store.close()
    const again = await open(path)
    try {
      const scan = () => again.scan(orphan, { limit: 9 })
      if (again.traits.synchronous) t.doesNotThrow(scan)
      else t.throws(scan, Fault)
    } finally {
      await again.close()
    }
  })

  test('has no rows when it is new', async (t, store) => {
    for (const collection of collections)
      t.same(await scanned(store, collection, { limit: ALL }), [])
    t.equal(store.get(entry, [1, 'a']), undefined)
  })

  test('ends in the state of a plain model after random batches, and so it is reopened', async (t, store, path) => {
    const seed = seedOf('AVFS_SEED')
    t.comment(`AVFS_SEED=${seed}`)
    const random = randomFrom(seed)
    const model = new Model()
    for (let i = 0; i < 60; i++) {
      const batch = randomBatch(collections, model, random, 30)
      model.apply(batch)
      await store.commit(batch)
    }
    await sameRows(t, store, model)
    await sameRanges(t, store, model, random)
    t.same(await store.verify(), [])
    await store.close()
    const again = await open(path)
    await sameRows(t, again, store.traits.persistent ? model : new Model())
    await again.close()
  })

  testValues(test)

  test('refuses a batch that holds a value of the wrong kind, and changes nothing', async (t, store) => {
    await store.commit(putBatch(setting, { name: 'a', value: 'before' }))
    const bad = { name: 'b', value: 7 } as unknown as { name: string; value: string }
    await t.rejects(
      store.commit([changes(setting, [{ name: 'a', value: 'after' }, bad])]),
      TypeError,
    )
    const nan = { ino: Number.NaN }
    await t.rejects(
      store.commit([changes(setting, [{ name: 'a', value: 'after' }]), changes(orphan, [nan])]),
      TypeError,
    )
    t.same(await scanned(store, setting, { limit: ALL }), [{ name: 'a', value: 'before' }])
    const unknown = { ...setting, name: 'nothing' } as Collection<{ name: string; value: string }>
    await t.rejects(store.commit(putBatch(unknown, { name: 'a', value: '' })), TypeError)
  })

  test('copies rows before commit returns', async (t, store) => {
    const shared = new Uint8Array(300).fill(7)
    const row = {
      ...{ ino: 1, offset: 0, length: 100, hash: '', blockOffset: 0, crc: 0 },
      ...{ data: shared.subarray(100, 200), since: 1 },
    }
    const commit = store.commit(putBatch(extent, row))
    row.length = 5
    shared.fill(9)
    await commit
    const found = store.get(extent, [1, 0])
    t.equal(found?.length, 100)
    t.same(Array.from(found?.data ?? []), new Array(100).fill(7))
    t.equal(shared.length, 300, 'the buffer was not taken away')
    if (found !== undefined) found.length = 6
    found?.data?.fill(8)
    t.equal(store.get(extent, [1, 0])?.length, 100, 'a row that was read is a copy, too')
    t.equal(store.get(extent, [1, 0])?.data?.[0], 7)
  })

  test('applies commits in the order of the calls', async (t, store) => {
    const done: number[] = []
    const commits = Array.from({ length: 50 }, (_, i) =>
      store
        .commit([
          changes(
            setting,
            i % 5 === 4 ? [] : [{ name: 'n', value: `${i}` }],
            i % 5 === 4 ? [['n']] : [],
          ),
          changes(orphan, [{ ino: i }]),
        ])
        .then(() => done.push(i)),
    )
    await Promise.all(commits)
    t.same(
      done,
      Array.from(done, (_, i) => i),
      'and reports them in that order',
    )
    t.equal(store.get(setting, ['n']), undefined, 'the last of them deleted the row')
    t.equal((await scanned(store, orphan, { limit: ALL })).length, 50)
  })

  test('shows a commit whole or not at all while commits go on, and at once when it has resolved', async (t, store) => {
    let last = 0
    let running = true
    const writer = (async () => {
      for (let i = 1; i <= 100; i++) {
        const rows = Array.from({ length: 20 }, (_, ino) => ({
          ...{
            ino,
            number: 1,
            moment: i,
            size: i,
            mtime: i,
            mtimeNs: 0,
            mode: 0,
            uid: 0,
            gid: 0,
            actor: 0,
          },
        }))
        await store.commit([
          changes(setting, [{ name: 'i', value: `${i}` }]),
          changes(version, rows),
        ])
        last = i
        if (store.get(setting, ['i'])?.value !== `${i}`) t.fail(`commit ${i} is not to be seen`)
      }
      running = false
    })()
    let reads = 0
    while (running) {
      const { rows, after } = await retryUntilLoaded(() => ({
        rows: store.scan(version, { limit: ALL }),
        after: last,
      }))
      const values = new Set(rows.map((row) => row.moment))
      if (values.size > 1 || (values.values().next().value ?? 0) < after) {
        t.fail(`a scan saw ${[...values]} after commit ${after}`)
        break
      }
      reads++
      await new Promise((resolve) => setImmediate(resolve))
    }
    await writer
    t.equal(last, 100)
    t.ok(reads > 0)
  })

  test('takes an empty batch, and deletes of what is missing', async (t, store) => {
    await store.commit([])
    await store.commit([changes(setting, [])])
    await store.commit([changes(setting, [], [['no']]), changes(entry, [], [[1, 'no']])])
    t.same(await scanned(store, setting, { limit: ALL }), [])
    const first = store.commit(putBatch(setting, { name: 'a', value: '1' }))
    await store.commit([])
    t.equal(store.get(setting, ['a'])?.value, '1', 'an empty batch waits for those before it')
    await first
  })

  test('gives space back and keeps every row', async (t, store) => {
    const random = randomFrom(2)
    const rows = Array.from({ length: 64 }, (_, i) => ({
      ...{ ino: i, offset: 0, length: 65_536, hash: '', blockOffset: 0, crc: 0 },
      ...{ data: random.bytes(65_536), since: 1 },
    }))
    await store.commit([changes(extent, rows)])
    // Some engine gives it back when rows are deleted, the others now.
    const before = store.stats().bytes
    const kept = rows.filter((row) => row.ino % 8 === 7)
    await store.commit([
      changes(
        extent,
        [],
        rows.filter((row) => row.ino % 8 < 7).map((row) => [row.ino, 0]),
      ),
    ])
    const order: string[] = []
    const { compactsOnline, persistent } = store.traits
    const compaction = store.compact().then(() => order.push('compact'))
    // Where commits wait for it, one that comes before it has begun does not.
    if (!compactsOnline) await new Promise((resolve) => setImmediate(resolve))
    const commit = store
      .commit(putBatch(setting, { name: 'meanwhile', value: 'yes' }))
      .then(() => order.push('commit'))
    await Promise.all([compaction, commit])
    if (persistent)
      t.equal(order[0], compactsOnline ? 'commit' : 'compact', 'commits go on or wait')
    t.same((await scanned(store, extent, { limit: ALL })).map(plain), kept.map(plain))
    t.equal(store.get(setting, ['meanwhile'])?.value, 'yes')
    const after = store.stats().bytes
    if (store.traits.persistent) {
      t.ok(after < before / 2, `${before} bytes became ${after}`)
      if (!store.traits.compresses)
        t.ok(after > kept.length * 65_536, `${after} bytes hold them all`)
    }
    t.same(await store.verify(), [])
  })

  test('written anew, it has no byte of what was deleted or replaced', async (t, store, path) => {
    const random = randomFrom(7)
    const secret = (ino: number): string => `secret ${ino} ${'0123456789'.repeat(3)}`
    const row = (ino: number) => ({
      ...{ ino, offset: 0, length: 60, hash: '', blockOffset: 0, crc: 0, since: 1 },
      data: Buffer.concat([random.bytes(ino % 3 === 0 ? 20_000 : 200), Buffer.from(secret(ino))]),
    })
    const count = 300
    for (let ino = 0; ino < count; ino += 20) {
      const rows = Array.from({ length: 20 }, (_, at) => row(ino + at))
      await store.commit([changes(extent, rows)])
    }
    // Some went on to another table, some were replaced, some are gone; most stay, so that nothing
    // is gained by it.
    for (let from = 0; from < count; from += 50) {
      const inos = Array.from({ length: 50 }, (_, at) => from + at).filter((ino) => ino % 10 === 0)
      const replaced = inos.filter((ino) => ino % 3 === 1)
      const gone = inos.filter((ino) => ino % 3 !== 1)
      const moved = inos.filter((ino) => ino % 3 === 2)
      await store.commit([
        changes(
          extent,
          replaced.map((ino) => ({ ...row(ino), data: Buffer.from('new') })),
          gone.map((ino) => [ino, 0]),
        ),
        changes(
          extentPast,
          moved.map((ino) => ({ ...row(ino), until: 2, data: Buffer.from('moved') })),
        ),
      ])
    }
    await store.compact({ anew: true })
    const kept = await scanned(store, extent, { limit: ALL })
    t.equal(kept.length, 270 + 10)
    if (store.traits.persistent) {
      const found = Array.from({ length: count }, (_, ino) => ino).filter(
        (ino) => ino % 10 === 0 && filesWith(dirname(path), secret(ino)).length > 0,
      )
      t.same(found, [])
    }
    t.same(await store.verify(), [])
  })

  test('holds 100,000 rows, in any order of arrival', async (t, store) => {
    const random = randomFrom(3)
    const inos = Array.from({ length: 100_000 }, (_, i) => i)
    for (let i = inos.length - 1; i > 0; i--) {
      const other = random.below(i + 1)
      ;[inos[i], inos[other]] = [inos[other] as number, inos[i] as number]
    }
    const started = performance.now()
    for (let i = 0; i < inos.length; i += 5000) {
      await store.commit([
        changes(
          orphan,
          inos.slice(i, i + 5000).map((ino) => ({ ino })),
        ),
      ])
    }
    const seen: number[] = []
    let page: { ino: number }[] = []
    do {
      page = await scanned(store, orphan, { gte: [(seen.at(-1) ?? -1) + 1], limit: 1000 })
      for (const { ino } of page) seen.push(ino)
    } while (page.length > 0)
    t.ok(seen.every((ino, i) => ino === i))
    t.equal(seen.length, inos.length)
    t.comment(`${Math.round(performance.now() - started)} ms`)
  })

  test('refuses every call when it is closed', async (t, store) => {
    await store.commit(putBatch(setting, { name: 'a', value: '1' }))
    const running = store.commit(putBatch(setting, { name: 'b', value: '2' }))
    await store.close()
    await running
    const closed = { name: 'StoreError', kind: 'closed' }
    t.throws(() => store.get(setting, ['a']), closed)
    t.throws(() => store.scan(setting, { limit: 1 }), closed)
    t.throws(() => store.stats(), closed)
    await t.rejects(store.commit([]), closed)
    await t.rejects(store.compact(), closed)
    await t.rejects(store.verify(), closed)
  })

  test('ends in the same state whichever call fails', async (t, store, path) => {
    let failed = true
    for (let at = 1; failed; at++) {
      if (at > 200) throw new Error('the work never ends')
      const inner = at === 1 ? store : await open(`${path}-${at}`)
      const faulty = failing(inner, at)
      const model = new Model()
      await work(faulty, model)
      await sameRows(t, inner, model)
      failed = faulty.failed
      if (at > 1) await inner.close()
    }
  })
}

/** Some work that tries again what failed. */
async function work(store: Store, model: Model): Promise<void> {
  const random = randomFrom(4)
  for (let i = 0; i < 5; i++) {
    const batch: Batch = randomBatch(collections, model, random, 8)
    const before = await retried(() => scanned(store, setting, { limit: ALL }))
    await retried(async () => {
      try {
        await store.commit(batch)
      } catch (error) {
        const now = await retried(() => scanned(store, setting, { limit: ALL }))
        if (JSON.stringify(now) !== JSON.stringify(before)) throw new Error('a failed commit shows')
        throw error
      }
    })
    model.apply(batch)
  }
}

async function retried<T>(attempt: () => T | Promise<T>): Promise<T> {
  try {
    return await attempt()
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    return await attempt()
  }
}

async function sameRows(t: Test, store: Store, model: Model): Promise<void> {
  for (const collection of collections) {
    const rows = model.rows(collection)
    const found = await scanned(store, collection, { limit: ALL })
    t.strictSame(found.map(plain), rows.map(plain), `${collection.name}: ${rows.length} rows`)
    const missing = rows.filter((row) => {
      const got = store.get(collection, keyOfRow(collection, row))
      return JSON.stringify(plain(got)) !== JSON.stringify(plain(row))
    })
    t.same(missing, [], `${collection.name}: each found by its key`)
  }
}

async function sameRanges(t: Test, store: Store, model: Model, random: Random): Promise<void> {
  let wrong = 0
  for (const collection of collections) {
    const rows = model.rows(collection)
    for (let i = 0; i < 60; i++) {
      const range: Range = {
        ...(random.below(4) > 0 ? { gte: randomBound(collection, rows, random) } : {}),
        ...(random.below(4) > 0 ? { lt: randomBound(collection, rows, random) } : {}),
        reverse: random.below(2) === 0,
        limit: random.pick([1, 3, ALL]),
      }
      const inside = rows.filter((row) => {
        const key = keyOfRow(collection, row)
        if (range.gte !== undefined && orderOf(collection, key, range.gte) < 0) return false
        return range.lt === undefined || orderOf(collection, key, range.lt) < 0
      })
      if (range.reverse) inside.reverse()
      const expected = inside.slice(0, range.limit).map((row) => keyOfRow(collection, row))
      const found = (await scanned(store, collection, range)).map((row) =>
        keyOfRow(collection, row),
      )
      if (JSON.stringify(found) === JSON.stringify(expected)) continue
      wrong++
      t.strictSame(found, expected, `${collection.name} ${JSON.stringify(range)}`)
    }
    const keys = rows.map((row) => keyOfRow(collection, row))
    t.same(keys.toSorted(compareKeys), keys, `${collection.name}: compareKeys orders the same`)
  }
  t.equal(wrong, 0, 'every random range holds what it should')
}

function randomBound(collection: AnyCollection, rows: readonly object[], random: Random): Key {
  const row =
    rows.length > 0 && random.below(2) === 0 ? random.pick(rows) : randomRow(collection, random)
  return keyOfRow(collection, row).slice(0, 1 + random.below(collection.keyLength))
}
