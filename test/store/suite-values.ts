// The part of the suite about rows themselves: ranges over keys, and values that must be read back
// exactly.

import { entry, extent, version, xattrPast } from '../../src/store/collections.ts'
import type { Range } from '../../src/store/store.ts'
import { randomFrom } from '../support/random.ts'
import { scanned } from './answers.ts'
import { changes } from './rows.ts'
import type { StoreTest } from './suite.ts'

const ALL = 1_000_000

/** Adds the tests with `test`. */
export function testValues(test: StoreTest): void {
  test('takes bounds that are prefixes of keys', async (t, store) => {
    const row = (parent: number, child: string) => ({
      parent,
      name: child,
      ino: 9,
      type: 8,
      origin: 0 as const,
      actor: 0,
      fromParent: 0,
      fromName: '',
      since: 1,
    })
    const rows = [
      row(4, 'z'),
      row(5, '\x01'),
      row(5, 'a'),
      row(5, 'ab'),
      row(5, '\xff'),
      row(6, 'a'),
    ]
    await store.commit([changes(entry, rows)])
    const found = async (range: Omit<Range, 'limit'>, limit = ALL) =>
      (await scanned(store, entry, { ...range, limit })).map(
        (found) => `${found.parent}${found.name}`,
      )
    t.same(await found({ gte: [5], lt: [6] }), ['5\x01', '5a', '5ab', '5\xff'])
    t.same(await found({ gte: [5], lt: [6], reverse: true }), ['5\xff', '5ab', '5a', '5\x01'])
    t.same(await found({ gte: [5, 'a'], lt: [6] }), ['5a', '5ab', '5\xff'], 'from a name on')
    t.same(await found({ gte: [5, 'a\x01'], lt: [6] }, 1), ['5ab'], 'after a name, one page')
    t.same(await found({ gte: [5, 'a'], lt: [5, 'b'] }), ['5a', '5ab'], 'names by their beginning')
    t.same(
      await found({ gte: [5], lt: [5, 'ab'], reverse: true }, 1),
      ['5a'],
      'the last before a name',
    )
    t.same(await found({ lt: [5] }), ['4z'])
    t.same(await found({ gte: [6] }), ['6a'])
    t.same(await found({ reverse: true }, 2), ['6a', '5\xff'])
    t.same(await found({ gte: [6], lt: [5] }), [])
    t.same(await found({}, 0), [])
  })

  test('finds the newest past row before a moment, by a key of three parts', async (t, store) => {
    const rows = [1, 3, 5].flatMap((ino) =>
      [10, 20, 30].map((since) => ({ ino, name: 'user.a', since, until: since + 10, value: null })),
    )
    await store.commit([changes(xattrPast, rows)])
    const newest = async (moment: number) => {
      const range = { gte: [3, 'user.a'], lt: [3, 'user.a', moment], reverse: true, limit: 1 }
      return (await scanned(store, xattrPast, range))[0]?.since
    }
    t.same(await Promise.all([10, 11, 25, 99].map(newest)), [undefined, 10, 20, 30])
  })

  test('keeps every byte of a name', async (t, store) => {
    const all = Array.from({ length: 255 }, (_, i) => String.fromCharCode(i + 1))
    const names = [...all, all.join(''), '\xff'.repeat(255), 'gr\xc3\xbc\xc3\x9fe', '\xed\xa0\x80']
    // The bytes of U+FFFD are what a broken name looks like when it is decoded; those of U+FEFF
    // vanish in some decoders.
    names.push(
      '\xef\xbf\xbd',
      '\xef\xbf\xbd\xff',
      '\xef\xbb\xbf',
      '\xef\xbb\xbfa',
      '\xf0\x9f\x98\x80',
    )
    const rows = names.map((name, i) => ({
      parent: 2,
      name,
      ino: i + 10,
      type: 8,
      origin: 0 as const,
      actor: 0,
      fromParent: 0,
      fromName: '',
      since: 1,
    }))
    await store.commit([changes(entry, rows)])
    for (const row of rows) t.strictSame(store.get(entry, [2, row.name]), row)
    const sorted = rows.toSorted((a, b) =>
      Buffer.compare(Buffer.from(a.name, 'latin1'), Buffer.from(b.name, 'latin1')),
    )
    t.strictSame(await scanned(store, entry, { gte: [2], lt: [3], limit: ALL }), sorted)
    await store.commit([
      changes(
        entry,
        [],
        names.map((name) => [2, name]),
      ),
    ])
    t.same(await scanned(store, entry, { limit: ALL }), [], 'each is found again to be deleted')
  })

  test('keeps blobs of every length, and tells an empty one from none', async (t, store) => {
    const random = randomFrom(1)
    const lengths = [0, 1, 4095, 4096, 16 * 1024, 128 * 1024, 1024 * 1024]
    const row = (offset: number, data: Uint8Array | null) => ({
      ...{ ino: 1, offset, length: data?.length ?? 0, hash: '', blockOffset: 0, crc: 2 ** 32 - 1 },
      ...{ data, since: 1 },
    })
    const rows = [...lengths.map((length) => row(length, random.bytes(length))), row(2 ** 40, null)]
    await store.commit([changes(extent, rows)])
    for (const { offset, data } of rows) {
      const found = store.get(extent, [1, offset])?.data
      if (data === null) t.equal(found, null)
      else t.ok(found instanceof Uint8Array && Buffer.compare(found, data) === 0, `${offset} bytes`)
    }
    await store.commit([changes(extent, [row(4096, null), row(0, random.bytes(70_000))])])
    t.equal(store.get(extent, [1, 4096])?.data, null)
    t.equal(store.get(extent, [1, 0])?.data?.length, 70_000)
  })

  test('keeps numbers exactly up to 2^53 - 1 and down to -2^53 + 1', async (t, store) => {
    const edges = [0, 1, 2 ** 31, 2 ** 32, 2 ** 52 + 1, 2 ** 53 - 2, 2 ** 53 - 1]
    const rows = edges.map((number) => ({
      ...{ ino: number, number, moment: number, size: number },
      ...{ mtime: -number + 0, mtimeNs: 999_999_999, mode: 0, uid: 0, gid: 0, actor: 0 },
    }))
    await store.commit([changes(version, rows)])
    t.strictSame(await scanned(store, version, { limit: ALL }), rows)
    for (const row of rows) t.strictSame(store.get(version, [row.ino, row.number]), row)
    const largest = 2 ** 53 - 1
    t.strictSame(await scanned(store, version, { gte: [largest], limit: 9 }), [rows.at(-1)])
    t.equal((await scanned(store, version, { lt: [largest], limit: ALL })).length, edges.length - 1)
  })
}
