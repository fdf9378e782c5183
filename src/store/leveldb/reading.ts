// How an open LevelDB is read: gets at once, walks by an iterator of another thread, both also as of a snapshot.

import type { ClassicLevel } from 'classic-level'
import type { Group, KvRange, KvView } from '../kv/engine.ts'
import { RangeCache, type Stretch, wholeKey } from '../kv/range-cache.ts'
import { StoreError } from '../store.ts'
import { storeErrorOf } from './errors.ts'

export type Level = ClassicLevel<Uint8Array, Uint8Array>
export type Snapshot = ReturnType<Level['snapshot']>

/** So many entries are handed over at a time. */
const PAGE_ENTRIES = 1000

/** What is committed when it is made. `closed` hears of its end, which comes with that of the level at the latest. */
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
    this.#ranges = new RangeCache(
      (from, to, reverse, bytes) => fetchStretch(level, this.#snapshot, from, to, reverse, bytes),
      cacheBytes,
    )
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

/** A walk as RangeCache asks for it; the state that it reads is that of the call. */
export async function fetchStretch(
  level: Level,
  snapshot: Snapshot | undefined,
  from: Uint8Array,
  to: Uint8Array,
  reverse: boolean,
  bytes: number,
): Promise<Stretch> {
  const keys: Uint8Array[] = []
  const values: Uint8Array[] = []
  const bounds = { gte: from, lt: to, reverse, highWaterMarkBytes: bytes }
  try {
    const walk = level.iterator(snapshot === undefined ? bounds : { ...bounds, snapshot })
    try {
      for (let found = 0; found < bytes; ) {
        const page = await walk.nextv(PAGE_ENTRIES)
        if (page.length === 0) return { keys, values, complete: true }
        for (const [key, value] of page) {
          keys.push(key)
          values.push(value)
          found += key.length + value.length
        }
      }
      return { keys, values, complete: false }
    } finally {
      await walk.close()
    }
  } catch (error) {
    throw storeErrorOf(error)
  }
}
