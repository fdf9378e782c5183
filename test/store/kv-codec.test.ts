// Keys and values of key-value engines: their order, their exact bytes, and invalid bytes.
// AVFS_SEED repeats a run.

import t from 'tap'
import { collections, inode, type Key } from '../../src/store/collections.ts'
import { compareKeys } from '../../src/store/keys.ts'
import { Cursor } from '../../src/store/kv/cursor.ts'
import { layoutOf } from '../../src/store/kv/layout.ts'
import { codecOf } from '../../src/store/kv/row-codec.ts'
import { Writer } from '../../src/store/kv/writer.ts'
import { StoreError } from '../../src/store/store.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'
import { type AnyCollection, keyOfRow, plain, randomRow } from './rows.ts'

const seed = seedOf('AVFS_SEED')
t.comment(`AVFS_SEED=${seed}`)

const writer = new Writer()

function keyBytes(collection: AnyCollection, key: Key): Buffer {
  codecOf(collection).writeBound(writer.reset(), key)
  return Buffer.from(writer.written())
}

function rowBytes(collection: AnyCollection, row: object): { key: Buffer; value: Buffer } {
  codecOf(collection).writeKey(writer.reset(), row)
  const key = Buffer.from(writer.written())
  codecOf(collection).writeValue(writer.reset(), row)
  return { key, value: Buffer.from(writer.written()) }
}

function read(collection: AnyCollection, key: Buffer, value: Buffer, body: Buffer | undefined) {
  const whole = (bytes: Buffer) => ({ bytes, from: 0, to: bytes.length })
  return codecOf(collection).all.read(whole(key), whole(value), () => body)
}

t.test(
  'keys and their beginnings sort as compareKeys sorts them, in every collection',
  async (t) => {
    const random = randomFrom(seed)
    for (const collection of collections) {
      const keys: Key[] = []
      for (let i = 0; i < 150; i++) {
        const key = keyOfRow(collection, randomRow(collection, random))
        keys.push(key, key.slice(0, random.below(key.length + 1)))
      }
      const wrong: string[] = []
      for (const a of keys)
        for (const b of keys) {
          const order = Math.sign(Buffer.compare(keyBytes(collection, a), keyBytes(collection, b)))
          // A bound and the key that it is but for an empty last part have the same bytes: no range
          // can tell them apart.
          const empty = a.length !== b.length && (a.length > b.length ? a : b).at(-1) === ''
          if (order === 0 && empty) continue
          if (order !== Math.sign(compareKeys(a, b))) wrong.push(JSON.stringify([a, b]))
        }
      t.same(wrong.slice(0, 3), [], collection.name)
    }
  },
)

t.test(
  'numbers below 0 sort before those above, and each kind of part has its bytes',
  async (t) => {
    const edges = [0, 1, 255, 256, 65_535, 65_536, 2 ** 24, 2 ** 31, 2 ** 32 - 1, 2 ** 32]
    edges.push(2 ** 40, 2 ** 48 - 1, 2 ** 48, 2 ** 53 - 1)
    const all = [...edges.slice(1).map((value) => -value), ...edges].sort((a, b) => a - b)
    const encoded = all.map((value) => {
      const writer = new Writer()
      writer.keyInt(value)
      return Buffer.from(writer.written())
    })
    t.same(encoded.toSorted(Buffer.compare), encoded)
    const cursor = new Cursor()
    t.same(
      encoded.map((bytes) => cursor.over(bytes, 0, bytes.length).keyInt()),
      all,
    )
    const hex = (write: (writer: Writer) => void): string => {
      const writer = new Writer()
      write(writer)
      return writer.written().toString('hex')
    }
    // Written down, because vaults on disk have them.
    t.equal(
      hex((w) => w.keyUint(0)),
      '08',
    )
    t.equal(
      hex((w) => w.keyUint(5)),
      '0905',
    )
    t.equal(
      hex((w) => w.keyUint(0x12345)),
      '0b012345',
    )
    t.equal(
      hex((w) => w.keyUint(2 ** 53 - 1)),
      '0f1fffffffffffff',
    )
    t.equal(
      hex((w) => w.keyInt(-1)),
      '07fe',
    )
    t.equal(
      hex((w) => w.keyString('a', 'latin1')),
      '610000',
    )
    t.equal(
      hex((w) => w.keyString('\0a\0', 'latin1')),
      '00ff6100ff0000',
    )
    t.equal(
      hex((w) => w.keyString('\u00fc', 'utf8')),
      'c3bc0000',
    )
    t.equal(
      hex((w) => w.keyLast('\0\xff', 'latin1')),
      '00ff',
    )
    t.equal(
      hex((w) => w.uint(127)),
      '7f',
    )
    t.equal(
      hex((w) => w.uint(128)),
      '8001',
    )
    t.equal(
      hex((w) => w.uint(2 ** 53 - 1)),
      'ffffffffffffff0f',
    )
    t.equal(
      hex((w) => w.int(-1)),
      '03',
    )
    t.equal(
      hex((w) => w.int(64)),
      '8001',
    )
    t.equal(
      hex((w) => w.string('\xe4', 'latin1')),
      '01e4',
    )
    t.equal(
      hex((w) => w.string('\xe4', 'utf8')),
      '02c3a4',
    )
    t.equal(
      hex((w) => w.blob(null)),
      '00',
    )
    t.equal(
      hex((w) => w.blob(new Uint8Array(0))),
      '01',
    )
    t.equal(
      hex((w) => w.blob(Uint8Array.of(7, 8))),
      '030708',
    )
  },
)

t.test('a row has the bytes that it has on disk', async (t) => {
  const row = {
    ...{ ino: 2, mode: 0o100644, nlink: 1, uid: 0, gid: 0, rdev: 0, size: 300, allocated: 300 },
    ...{ parent: 1, name: 'a\xff', xattrs: 0, tags: 0, versions: 1, atime: -1, atimeNs: 5 },
    ...{
      mtime: 1,
      mtimeNs: 0,
      ctime: 0,
      ctimeNs: 0,
      btime: 0,
      btimeNs: 0,
      actor: 3,
      since: 2 ** 53 - 1,
    },
  }
  const { key, value } = rowBytes(inode as unknown as AnyCollection, row)
  t.equal(key.toString('hex'), '020902')
  t.equal(
    value.toString('hex'),
    '01a48302010000 00ac02ac0201 0261ff 000001 0305 0200 0000 0000 03 ffffffffffffff0f'.replaceAll(
      ' ',
      '',
    ),
  )
})

t.test('every collection has a number of its own, below that of any key beyond them', async (t) => {
  const numbers = collections.map((collection) => layoutOf(collection).number)
  t.equal(new Set(numbers).size, collections.length)
  t.ok(numbers.every((number) => number > 0 && number < 255))
})

t.test('rows come back as they were, with their fields in order', async (t) => {
  const random = randomFrom(seed + 1)
  for (const collection of collections) {
    const { bodyField } = codecOf(collection)
    const wrong: unknown[] = []
    for (let i = 0; i < 300; i++) {
      const row = randomRow(collection, random)
      const { key, value } = rowBytes(collection, row)
      const body = bodyField === undefined ? undefined : (row[bodyField] as Uint8Array | null)
      const found = read(collection, key, value, body ? Buffer.from(body) : undefined)
      const [a, b] = [plain(found), plain(row)].map((value) => JSON.stringify(value))
      if (a !== b) wrong.push([a, b])
    }
    t.same(wrong.slice(0, 3), [], collection.name)
  }
})

t.test('bytes that are no row are called corrupt, whatever they are', async (t) => {
  const random = randomFrom(seed + 2)
  let refused = 0
  for (let i = 0; i < 60_000; i++) {
    const collection = random.pick(collections)
    const { key, value } = rowBytes(collection, randomRow(collection, random))
    const bytes = { key, value }
    const which = random.below(3) === 0 ? 'key' : 'value'
    bytes[which] = spoiled(bytes[which], random)
    try {
      read(collection, bytes.key, bytes.value, Buffer.alloc(0))
    } catch (error) {
      refused++
      if (error instanceof StoreError && error.kind === 'corrupt') continue
      t.fail(`${collection.name} ${bytes.key.toString('hex')} ${bytes.value.toString('hex')}`, {
        error,
      })
      return
    }
  }
  t.ok(refused > 10_000, `${refused} were refused`)
})

/** Cuts, lengthens, changes or replaces bytes. */
function spoiled(bytes: Buffer, random: Random): Buffer {
  switch (random.below(4)) {
    case 0:
      return bytes.subarray(0, random.below(bytes.length + 1))
    case 1:
      return Buffer.concat([bytes, random.bytes(1 + random.below(4))])
    case 2: {
      const copy = Buffer.from(bytes)
      for (let i = random.below(3); i >= 0; i--)
        if (copy.length > 0) copy[random.below(copy.length)] = random.below(256)
      return copy
    }
    default:
      return Buffer.from(random.bytes(random.below(40)))
  }
}

t.test('a value that does not fit its column is refused before anything is written', async (t) => {
  for (const bad of [-1, 1.5, Number.NaN, 2 ** 53, '1', null, undefined, 1n]) {
    t.throws(() => writer.uint(bad), TypeError)
    t.throws(() => writer.keyUint(bad), TypeError)
    if (bad !== -1) t.throws(() => writer.int(bad), TypeError)
  }
  for (const bad of [1, null, undefined, new Uint8Array(1)]) {
    t.throws(() => writer.string(bad, 'latin1'), TypeError)
    t.throws(() => writer.keyString(bad, 'utf8'), TypeError)
    t.throws(() => writer.keyLast(bad, 'latin1'), TypeError)
  }
  for (const bad of [1, 'a', undefined, [1]]) t.throws(() => writer.blob(bad), TypeError)
})
