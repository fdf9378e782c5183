// Ranges in memory against a plain sorted list: whatever is loaded, evicted and written meanwhile,
// no answer is stale.

import t from 'tap'
import { type Group, type KvRange, ROWS } from '../../src/store/kv/engine.ts'
import { type FetchStretch, type GroupChange, RangeCache } from '../../src/store/kv/range-cache.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { Fault } from '../../src/store/store.ts'
import { type Random, randomFrom, seedOf } from '../support/random.ts'

const ALL = 1_000_000

/** Entries in memory that can only be read asynchronously. */
class SlowEntries {
  readonly entries = new Map<string, string>()
  reads = 0
  /** Runs between a read's state and its answer. */
  meanwhile: () => void = () => undefined

  readonly fetch: FetchStretch = async ({ bytes, ...bounds }) => {
    this.reads++
    const all = this.#within({ ...bounds, limit: ALL, bytes })
    await new Promise((resolve) => setImmediate(resolve))
    this.meanwhile()
    await new Promise((resolve) => setImmediate(resolve))
    let size = 0
    const end = all.findIndex(([key, value]) => {
      size += 8 + key.length + value.length
      return size >= bytes
    })
    const found = end < 0 ? all : all.slice(0, end + 1)
    return { packed: packed(found), complete: end < 0 }
  }

  #within({ group, gte, lt, reverse }: KvRange): [string, string][] {
    const from = latin1(gte)
    const all = [...this.entries].flatMap(([whole, value]): [string, string][] => {
      const key = whole.slice(1)
      const isWithin = key >= from && (lt === undefined || key < latin1(lt))
      return whole.charCodeAt(0) === group && isWithin ? [[key, value]] : []
    })
    all.sort(([a], [b]) => (a < b ? -1 : 1))
    return reverse ? all.reverse() : all
  }

  range(range: KvRange): string[] {
    const found: string[] = []
    let size = 0
    for (const [key, value] of this.#within(range)) {
      if (found.length / 2 >= range.limit || size >= range.bytes) break
      found.push(key, value)
      size += 8 + key.length + value.length
    }
    return found
  }

  apply(changes: readonly GroupChange[]): void {
    for (const { group, key, value } of changes) {
      const name = String.fromCharCode(group) + latin1(key)
      if (value === undefined) this.entries.delete(name)
      else this.entries.set(name, latin1(value))
    }
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

function packed(entries: readonly [string, string][]): Uint8Array {
  return Buffer.concat(
    entries.flatMap(([key, value]) => {
      const head = Buffer.alloc(8)
      head.writeUInt32LE(key.length)
      head.writeUInt32LE(value.length, 4)
      return [head, Buffer.from(key, 'latin1'), Buffer.from(value, 'latin1')]
    }),
  )
}

function unpack(packed: Uint8Array): string[] {
  const bytes = Buffer.from(packed)
  const found: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const middle = at + 8 + bytes.readUInt32LE(at)
    const end = middle + bytes.readUInt32LE(at + 4)
    found.push(bytes.toString('latin1', at + 8, middle), bytes.toString('latin1', middle, end))
    at = end
  }
  return found
}

const rangeOf = (gte: string, lt: string | undefined, reverse = false, limit = ALL): KvRange => ({
  group: ROWS,
  gte: Buffer.from(gte),
  lt: lt === undefined ? undefined : Buffer.from(lt),
  reverse,
  limit,
  bytes: ALL,
})

/**
 * What a range holds; the caller uses the buffers of its bounds again, whether or not it has to
 * wait.
 */
function asked(ranges: RangeCache, range: KvRange): string[] {
  const gte = Uint8Array.from(range.gte)
  const lt = range.lt && Uint8Array.from(range.lt)
  try {
    return unpack(ranges.read({ ...range, gte, lt }))
  } finally {
    gte.fill(0x37)
    lt?.fill(0x33)
  }
}

function randomChanges(random: Random): GroupChange[] {
  const changes = Array.from({ length: 1 + random.below(8) }, () => ({
    group: random.below(2) as Group,
    key: Buffer.from(String(random.below(400))),
    value: random.below(3) === 0 ? undefined : random.bytes(random.pick([0, 5, 300, 20_000])),
  }))
  // A key occurs once in a batch.
  return [...new Map(changes.map((each) => [`${each.group}${each.key}`, each])).values()]
}

function randomRange(random: Random): KvRange {
  const bound = (): Uint8Array =>
    Buffer.from(String(random.below(400)).slice(0, 1 + random.below(3)))
  return {
    group: random.below(2) as Group,
    gte: random.below(4) === 0 ? new Uint8Array() : bound(),
    lt: random.below(4) === 0 ? undefined : bound(),
    reverse: random.below(2) === 0,
    limit: random.pick([1, 2, 10, ALL]),
    bytes: random.pick([1, 500, 50_000, ALL]),
  }
}

t.test(
  'every answer is that of a plain list, whatever is written while it is loaded',
  async (t) => {
    const seed = seedOf('AVFS_SEED')
    t.comment(`AVFS_SEED=${seed}`)
    const random = randomFrom(seed)
    const slow = new SlowEntries()
    const ranges = new RangeCache(slow.fetch, 40_000)
    const write = (): void => {
      const changes = randomChanges(random)
      slow.apply(changes)
      ranges.apply(changes)
    }
    slow.meanwhile = () => {
      if (random.below(3) === 0) write()
    }
    let wrong = 0
    for (let round = 0; round < 1500; round++) {
      if (random.below(3) === 0) write()
      const range = randomRange(random)
      // Two at a time: what one brings the other may have brought already.
      const another = randomRange(random)
      const other = retryUntilLoaded(() => asked(ranges, another))
      const found = await retryUntilLoaded(() => ({
        is: asked(ranges, range),
        be: slow.range(range),
      }))
      if (JSON.stringify(found.is) !== JSON.stringify(found.be)) {
        wrong++
        t.same(found.is, found.be, JSON.stringify(range))
      }
      await other
      if (wrong > 3) break
    }
    t.equal(wrong, 0)
  },
)

t.test('what lies in a known stretch needs no second read, written or not', async (t) => {
  const slow = new SlowEntries()
  const ranges = new RangeCache(slow.fetch, 1_000_000)
  const read = (range: KvRange) => retryUntilLoaded(() => unpack(ranges.read(range)))
  t.same(await read(rangeOf('5', '6')), [])
  t.equal(slow.reads, 1)
  const changes = [{ group: ROWS, key: Buffer.from('7a'), value: Buffer.from('x') } as const]
  slow.apply(changes)
  ranges.apply(changes)
  t.same(await read(rangeOf('7', '8')), ['7a', 'x'])
  t.same(await read(rangeOf('7', undefined, true, 1)), ['7a', 'x'])
  t.equal(slow.reads, 1, 'the first walk went on to the end, and so all of it is known')
})

t.test('a walk over much needs few reads', async (t) => {
  const slow = new SlowEntries()
  for (let i = 0; i < 20_000; i++)
    slow.entries.set(`\0${String(i).padStart(6, '0')}`, 'x'.repeat(300))
  const ranges = new RangeCache(slow.fetch, 1000)
  const found = await retryUntilLoaded(() => ranges.read({ ...rangeOf('', undefined), bytes: 1e9 }))
  t.equal(unpack(found).length, 40_000)
  t.ok(slow.reads < 12, `${slow.reads} reads`)
})

t.test('who asks for what comes before one key after another needs few reads', async (t) => {
  const slow = new SlowEntries()
  const key = (at: number): string => String(at).padStart(6, '0')
  for (let at = 0; at < 4000; at++)
    slow.entries.set(String.fromCharCode(ROWS) + key(at), 'x'.repeat(100))
  const ranges = new RangeCache(slow.fetch, 8 * 1024 * 1024)
  for (let at = 1; at < 4000; at++) {
    const range = rangeOf(key(0), key(at), true, 1)
    const found = await retryUntilLoaded(() => unpack(ranges.read(range)))
    if (found[0] !== key(at - 1)) t.fail(`${found[0]} comes before ${at}`)
  }
  t.ok(slow.reads < 40, `${slow.reads}`)
})

t.test('who asks for the same at the same time waits for one read', async (t) => {
  const slow = new SlowEntries()
  slow.entries.set('\x001', 'one')
  const ranges = new RangeCache(slow.fetch, 1000)
  const reads = [1, 2, 3].map(() =>
    retryUntilLoaded(() => unpack(ranges.read(rangeOf('', undefined)))),
  )
  t.same(await Promise.all(reads), [
    ['1', 'one'],
    ['1', 'one'],
    ['1', 'one'],
  ])
  t.equal(slow.reads, 1)
})

t.test('a read that fails leaves nothing behind', async (t) => {
  let fails = true
  const slow = new SlowEntries()
  const ranges = new RangeCache((...given) => {
    if (fails) throw new Error('not now')
    return slow.fetch(...given)
  }, 1000)
  await t.rejects(
    retryUntilLoaded(() => ranges.read(rangeOf('', undefined))),
    { message: 'not now' },
  )
  fails = false
  t.throws(() => ranges.read(rangeOf('', undefined)), Fault)
  t.same(await retryUntilLoaded(() => unpack(ranges.read(rangeOf('', undefined)))), [])
})
