// Reads of an open LevelDB, now or as of a snapshot: gets are synchronous, walks use an iterator in
// another thread.

import type { ClassicLevel } from 'classic-level'
import type { Group, KvRange, KvView } from '../kv/engine.ts'
import { RangeCache, type Stretch } from '../kv/range-cache.ts'
import { StoreError } from '../store.ts'
import { storeErrorOf } from './errors.ts'

export type Level = ClassicLevel<Uint8Array, Uint8Array>
export type Snapshot = ReturnType<Level['snapshot']>

/** Entries that the iterator returns at a time. */
const PAGE_ENTRIES = 1000
/** The two lengths of a packed entry. */
const HEAD_BYTES = 8

/**
 * A snapshot of what is committed now. `closed` is called when it ends, at the latest together with
 * the database.
 */
export class LevelView implements KvView {
  readonly #level: Level
  readonly #snapshot: Snapshot
  readonly #ranges: RangeCache
  readonly #closed: () => void
  #isOpen = true

  constructor(level: Level, cacheBytes: number, closed: () => void) {
    this.#level = level
    this.#snapshot = level.snapshot()
    this.#closed = closed
    this.#ranges = new RangeCache((range) => fetchStretch(level, this.#snapshot, range), cacheBytes)
  }

  get(group: Group, key: Uint8Array): Uint8Array | undefined {
    this.#assertOpen()
    return getFrom(this.#level, this.#snapshot, group, key)
  }

  range(range: KvRange): Uint8Array {
    this.#assertOpen()
    return this.#ranges.read(range)
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#closed()
    await this.#snapshot.close()
  }

  #assertOpen(): void {
    if (!this.#isOpen) throw new StoreError('closed', 'the view is closed')
  }
}

/** The value of an entry. */
export function getFrom(
  level: Level,
  snapshot: Snapshot | undefined,
  group: Group,
  key: Uint8Array,
): Uint8Array | undefined {
  const whole = wholeKey(group, key)
  try {
    return snapshot === undefined
      ? level.getSync(whole)
      : level.getSync(whole, { snapshot, keyEncoding: 'view', valueEncoding: 'view' })
  } catch (error) {
    throw storeErrorOf(error)
  }
}

/** Reads a range for RangeCache. */
export async function fetchStretch(
  level: Level,
  snapshot: Snapshot | undefined,
  { group, gte, lt, reverse, bytes }: Omit<KvRange, 'limit'>,
): Promise<Stretch> {
  const bounds = {
    gte: wholeKey(group, gte),
    lt: lt === undefined ? Uint8Array.of(group + 1) : wholeKey(group, lt),
    reverse,
    highWaterMarkBytes: bytes,
  }
  const pages: Uint8Array[] = []
  try {
    const walk = level.iterator(snapshot === undefined ? bounds : { ...bounds, snapshot })
    try {
      for (let found = 0; found < bytes; ) {
        const page = await walk.nextv(PAGE_ENTRIES)
        if (page.length === 0) return { packed: Buffer.concat(pages), complete: true }
        const packed = pack(page)
        pages.push(packed)
        found += packed.length
      }
      return { packed: Buffer.concat(pages), complete: false }
    } finally {
      await walk.close()
    }
  } catch (error) {
    throw storeErrorOf(error)
  }
}

/** Packs entries as in engine.ts; their keys begin with the group, which is left out. */
function pack(page: readonly [Uint8Array, Uint8Array][]): Uint8Array {
  let length = 0
  for (const [key, value] of page) length += HEAD_BYTES + key.length - 1 + value.length
  const packed = Buffer.allocUnsafe(length)
  let at = 0
  for (const [key, value] of page) {
    // The group's byte lands where the lengths are written afterwards.
    packed.set(key, at + HEAD_BYTES - 1)
    packed.writeUInt32LE(key.length - 1, at)
    packed.writeUInt32LE(value.length, at + 4)
    at += HEAD_BYTES + key.length - 1
    packed.set(value, at)
    at += value.length
  }
  return packed
}

/** The key of an entry with its group before it. */
function wholeKey(group: Group, key: Uint8Array): Uint8Array {
  const whole = new Uint8Array(key.length + 1)
  whole[0] = group
  whole.set(key, 1)
  return whole
}
