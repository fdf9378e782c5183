// Ranges of a key-value engine that can only be read asynchronously, kept in memory: what is there is answered at once, what is
// not throws Fault, whose load brings it. For engines that walk in another thread or across a network.
//
// Keys are whole here: a byte for the group, then the key.
//
// Memory holds segments: stretches of the key space of which every entry is known, so that an empty stretch is an answer too
// (a new directory has no names). They never overlap; batches that resolve are applied to them, and nothing gets stale.

import { Fault } from '../store.ts'
import type { Group, KvRange } from './engine.ts'
import { compareBytes, findSegment, Segment, segmentsBefore } from './segment.ts'

/** Entries of a stretch as an engine reads them, in the order of the walk. */
export interface Stretch {
  readonly keys: readonly Uint8Array[]
  readonly values: readonly Uint8Array[]
  /** The walk came to the end of the stretch; else it stopped behind the last entry. */
  readonly complete: boolean
}

/**
 * Reads entries with from <= key < to of one state of the engine, which is taken when it is called and in which no batch is seen in
 * part; upwards, or downwards if `reverse`. Stops behind the entry with which `bytes` are reached; at least one if there is one.
 */
export type FetchStretch = (
  from: Uint8Array,
  to: Uint8Array,
  reverse: boolean,
  bytes: number,
) => Promise<Stretch>

/** A read on its way: whole keys. */
interface Question {
  readonly from: Uint8Array
  readonly to: Uint8Array
  readonly reverse: boolean
}

/** One change of a batch under its whole key; `value` undefined: deleted. */
export interface Change {
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

interface Load {
  /** Changes that resolved since it began: what it reads may lack them. */
  readonly missed: Change[]
}

/** The two lengths of a packed entry. */
const HEAD_BYTES = 8
/** What an entry has, about, where only their number is known. */
const ENTRY_BYTES = 128
/** The least that is read: a turn of the event loop costs as much as these. */
const LOAD_BYTES_MIN = 16 * 1024
/** A walk that goes on where the last one ended reads twice as much, up to this. */
const LOAD_BYTES_MAX = 4 * 1024 * 1024
/** What was used so long ago may be let go. A younger one stays whatever the budget: an operation may be waiting for more. */
const PIN_MS = 1000
/** Larger values are not kept when they are written: who wants content reads it by its key. */
const VALUE_BYTES_MAX = 16 * 1024

export class RangeCache {
  readonly #fetch: FetchStretch
  readonly #budget: number
  #segments: Segment[] = []
  #bytes = 0
  readonly #loads = new Set<Load>()
  readonly #running = new Map<string, Promise<void>>()

  /** `budget`: bytes that are kept, but for what was used within a second. */
  constructor(fetch: FetchStretch, budget: number) {
    this.#fetch = fetch
    this.#budget = budget
  }

  /** As KvReader.range. Throws Fault for what is not in memory. */
  read(range: KvRange): Uint8Array {
    const { group, gte, lt, reverse, limit, bytes } = range
    const from = wholeKey(group, gte)
    const to = lt === undefined ? endOf(group) : wholeKey(group, lt)
    const found: Uint8Array[] = []
    const taken = { entries: 0, bytes: 0 }
    const now = Date.now()
    let at = reverse ? to : from
    while (compareBytes(from, to) < 0) {
      const segment = this.#segments[findSegment(this.#segments, at, reverse)]
      if (segment === undefined) {
        const question = reverse ? { from, to: at, reverse } : { from: at, to, reverse }
        const wanted = Math.min(bytes - taken.bytes, (limit - taken.entries) * ENTRY_BYTES)
        throw new Fault(() => this.#load(group, question, wanted))
      }
      segment.usedMs = now
      const isDone = segment.walk(from, to, reverse, (key, value) => {
        found.push(key, value)
        taken.bytes += HEAD_BYTES + key.length - 1 + value.length
        return ++taken.entries < limit && taken.bytes < bytes
      })
      at = reverse ? segment.from : segment.to
      if (isDone || compareBytes(at, reverse ? from : to) * (reverse ? -1 : 1) >= 0) break
    }
    return pack(found, taken.bytes)
  }

  /** Takes in a batch that has resolved. The bytes of its keys and values may change afterwards. */
  apply(changes: Iterable<Change>): void {
    for (const { key, value } of changes) {
      for (const { missed } of this.#loads)
        missed.push({ key: copy(key), value: value && copy(value) })
      const index = findSegment(this.#segments, key, false)
      const segment = this.#segments[index]
      if (segment === undefined) continue
      this.#bytes -= segment.bytes
      const parts = change(segment, key, value)
      if (parts.length !== 1 || parts[0] !== segment) this.#segments.splice(index, 1, ...parts)
      for (const part of parts) this.#bytes += part.bytes
    }
    this.#evict()
  }

  #load(group: Group, question: Question, wanted: number): Promise<void> {
    const { from, to, reverse } = question
    const name = `${reverse ? '<' : '>'}${text(reverse ? to : from)}`
    let running = this.#running.get(name)
    if (running === undefined) {
      running = this.#bring(group, question, wanted).finally(() => this.#running.delete(name))
      this.#running.set(name, running)
    }
    return running
  }

  async #bring(group: Group, question: Question, wanted: number): Promise<void> {
    const { reverse } = question
    const at = reverse ? question.to : question.from
    // On beyond what was asked for, which is asked for next as a rule, to where the next segment begins.
    const next = this.#neighbour(at, reverse)
    const bound = reverse ? next?.to : next?.from
    const from = reverse ? later(bound, Uint8Array.of(group)) : at
    const to = reverse ? at : earlier(bound, endOf(group))
    const last = this.#segments[findSegment(this.#segments, at, !reverse)]
    const run = Math.min(LOAD_BYTES_MAX, Math.max(LOAD_BYTES_MIN, wanted / 4, 2 * (last?.run ?? 0)))
    const load: Load = { missed: [] }
    this.#loads.add(load)
    try {
      const stretch = await this.#fetch(from, to, reverse, run)
      this.#insert(segmentOf(from, to, reverse, stretch, run), load.missed)
    } finally {
      this.#loads.delete(load)
    }
    this.#evict()
  }

  /** The next segment from a key on that is in none. */
  #neighbour(at: Uint8Array, reverse: boolean): Segment | undefined {
    const index = segmentsBefore(this.#segments, at, reverse)
    return this.#segments[reverse ? index - 1 : index]
  }

  #insert(brought: Segment, missed: readonly Change[]): void {
    let parts = [brought]
    for (const { key, value } of missed) {
      const index = findSegment(parts, key, false)
      const part = parts[index]
      if (part !== undefined) parts.splice(index, 1, ...change(part, key, value))
    }
    parts = parts.flatMap((part) => part.halves())
    // Others may have brought some of it meanwhile; both are right.
    const rest = this.#segments.flatMap((segment) => segment.without(brought.from, brought.to))
    rest.splice(segmentsBefore(rest, brought.from, true), 0, ...parts)
    this.#segments = rest
    this.#bytes = rest.reduce((sum, segment) => sum + segment.bytes, 0)
  }

  #evict(): void {
    if (this.#bytes <= this.#budget) return
    const before = Date.now() - PIN_MS
    const old = this.#segments.filter(({ usedMs }) => usedMs < before)
    old.sort((a, b) => a.usedMs - b.usedMs)
    const gone = new Set<Segment>()
    for (const segment of old) {
      if (this.#bytes <= (this.#budget * 7) / 8) break
      this.#bytes -= segment.bytes
      gone.add(segment)
    }
    if (gone.size > 0) this.#segments = this.#segments.filter((segment) => !gone.has(segment))
  }
}

/** What a walk brought as a segment: up to the last entry when it stopped there. */
function segmentOf(
  from: Uint8Array,
  to: Uint8Array,
  reverse: boolean,
  { keys, values, complete }: Stretch,
  run: number,
): Segment {
  const last = complete ? undefined : keys[keys.length - 1]
  const low = reverse ? (last ?? from) : from
  const high = reverse || last === undefined ? to : successor(last)
  const [ordered, beside] = reverse
    ? [keys.toReversed(), values.toReversed()]
    : [[...keys], [...values]]
  return new Segment(low, high, ordered, beside, run, Date.now())
}

/** What a segment becomes by a change. */
function change(segment: Segment, key: Uint8Array, value: Uint8Array | undefined): Segment[] {
  if (value === undefined) segment.delete(key)
  else if (value.length > VALUE_BYTES_MAX) return segment.without(key, successor(key))
  else segment.put(copy(key), copy(value))
  return segment.halves()
}

/** The key of an entry with its group before it. */
export function wholeKey(group: Group, key: Uint8Array): Uint8Array {
  const whole = new Uint8Array(key.length + 1)
  whole[0] = group
  whole.set(key, 1)
  return whole
}

/** Behind the last key of a group. */
function endOf(group: Group): Uint8Array {
  return Uint8Array.of(group + 1)
}

function earlier(a: Uint8Array | undefined, b: Uint8Array): Uint8Array {
  return a === undefined || compareBytes(b, a) < 0 ? b : a
}

function later(a: Uint8Array | undefined, b: Uint8Array): Uint8Array {
  return a === undefined || compareBytes(a, b) < 0 ? b : a
}

/** The first key after `key`. */
function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}

/** Keys and values in turn, packed as engine.ts says. */
function pack(found: readonly Uint8Array[], bytes: number): Uint8Array {
  const packed = new Uint8Array(bytes)
  const lengths = new DataView(packed.buffer)
  let at = 0
  for (let i = 0; i < found.length; i += 2) {
    const key = found[i] as Uint8Array
    const value = found[i + 1] as Uint8Array
    lengths.setUint32(at, key.length - 1, true)
    lengths.setUint32(at + 4, value.length, true)
    packed.set(key.subarray(1), at + HEAD_BYTES)
    at += HEAD_BYTES + key.length - 1
    packed.set(value, at)
    at += value.length
  }
  return packed
}

function copy(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes)
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
