// A stretch of the key space of one group of which every entry is known: the unit that RangeCache
// keeps. Its entries are in one buffer, packed as in engine.ts, so that an answer is a slice of it.
// Immutable but for its usage data.

/** A larger segment is cut into pieces. */
const SEGMENT_BYTES_MAX = 64 * 1024
/** Larger values are not cached when they are written: content is read by its key. */
const VALUE_BYTES_MAX = 16 * 1024
/** The two lengths of a packed entry. */
const HEAD_BYTES = 8
/** Approximate memory of a segment, and of an entry of it, besides the buffer. */
const SEGMENT_COST = 400
const ENTRY_COST = 4

/** A key that was put, or deleted (`value` undefined). */
export interface Change {
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

/**
 * `run`: bytes that the load of a segment asked for. `usedMs`: when it was last used.
 * `pinnedUntilMs`: until when it must stay. Times are those of performance.now().
 */
interface Uses {
  readonly run: number
  usedMs: number
  pinnedUntilMs: number
}

export class Segment implements Uses {
  /** from <= key < to for each entry; `to` undefined: to the group's end. */
  readonly from: Uint8Array
  readonly to: Uint8Array | undefined
  readonly #packed: Buffer
  /** Where each entry begins, and where the last one ends. */
  readonly #offsets: Uint32Array
  readonly run: number
  usedMs: number
  pinnedUntilMs: number

  /** Takes over the buffer `packed`, whose entries must be in order. */
  constructor(
    from: Uint8Array,
    to: Uint8Array | undefined,
    packed: Uint8Array,
    { run, usedMs, pinnedUntilMs }: Uses,
  ) {
    this.from = from
    this.to = to
    this.#packed = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength)
    this.#offsets = offsetsOf(this.#packed)
    this.run = run
    this.usedMs = usedMs
    this.pinnedUntilMs = pinnedUntilMs
  }

  get size(): number {
    return this.#offsets.length - 1
  }

  /** Approximate memory that it takes. */
  get bytes(): number {
    return SEGMENT_COST + this.#packed.length + ENTRY_COST * this.size
  }

  /** The key of entry `index`, as a view. */
  key(index: number): Uint8Array {
    const start = this.#at(index) + HEAD_BYTES
    return this.#packed.subarray(start, start + this.#keyLength(index))
  }

  /** Number of entries before a key; all if undefined. */
  countBefore(key: Uint8Array | undefined): number {
    return key === undefined
      ? this.size
      : search(this.size, (index) => this.#compare(index, key) < 0)
  }

  /**
   * Appends entries first .. end - 1 to `into` as views, ascending, or descending if `reverse`: at
   * most `limit`, and none after the one with which `bytes` is reached. Returns their number.
   */
  take(
    first: number,
    end: number,
    reverse: boolean,
    limit: number,
    bytes: number,
    into: Uint8Array[],
  ): number {
    const most = Math.min(end - first, limit)
    if (most <= 0) return 0
    if (!reverse) {
      const start = this.#at(first)
      const before = search(most, (index) => this.#at(first + index + 1) - start < bytes)
      const count = Math.min(most, before + 1)
      into.push(this.#packed.subarray(start, this.#at(first + count)))
      return count
    }
    let taken = 0
    let count = 0
    while (count < most && taken < bytes) {
      const index = end - 1 - count++
      const entry = this.#packed.subarray(this.#at(index), this.#at(index + 1))
      into.push(entry)
      taken += entry.length
    }
    return count
  }

  /** The segments that result from changes of keys within it. No key occurs twice. */
  changed(changes: readonly Change[]): Segment[] {
    const sorted = changes.toSorted((a, b) => Buffer.compare(a.key, b.key))
    const parts: Uint8Array[] = []
    const cuts: Uint8Array[] = []
    let at = 0
    for (const { key, value } of sorted) {
      const index = this.countBefore(key)
      parts.push(this.#packed.subarray(this.#at(at), this.#at(index)))
      at = index < this.size && this.#compare(index, key) === 0 ? index + 1 : index
      if (value === undefined) continue
      if (value.length > VALUE_BYTES_MAX) cuts.push(Uint8Array.from(key))
      else parts.push(packEntry(key, value))
    }
    parts.push(this.#packed.subarray(this.#at(at)))
    let segments = [new Segment(this.from, this.to, Buffer.concat(parts), this)]
    for (const key of cuts)
      segments = segments.flatMap((segment) => segment.without(key, successor(key)))
    return segments.flatMap((segment) => segment.pieces())
  }

  /** The parts of it outside [from, to). */
  without(from: Uint8Array, to: Uint8Array | undefined): Segment[] {
    if (!isBefore(from, this.to) || !isBefore(this.from, to)) return [this]
    const rest: Segment[] = []
    if (isBefore(this.from, from)) rest.push(this.#part(0, this.countBefore(from), this.from, from))
    if (to !== undefined && isBefore(to, this.to))
      rest.push(this.#part(this.countBefore(to), this.size, to, this.to))
    return rest
  }

  /** Itself, or pieces of it if it is too large. */
  pieces(): Segment[] {
    if (this.#packed.length <= SEGMENT_BYTES_MAX) return [this]
    const pieces: Segment[] = []
    let from = this.from
    for (let first = 0; first < this.size; ) {
      const start = this.#at(first)
      const fits = (index: number) => this.#at(index + 1) - start <= SEGMENT_BYTES_MAX / 2
      let end = first + 1
      while (end < this.size && fits(end)) end++
      const to = end < this.size ? Uint8Array.from(this.key(end)) : this.to
      pieces.push(this.#part(first, end, from, to))
      first = end
      from = to ?? from
    }
    return pieces
  }

  /** Copied, so that it does not keep the whole buffer alive. */
  #part(first: number, end: number, from: Uint8Array, to: Uint8Array | undefined): Segment {
    const entries = Uint8Array.prototype.slice.call(this.#packed, this.#at(first), this.#at(end))
    return new Segment(from, to, entries, this)
  }

  #at(index: number): number {
    return this.#offsets[index] as number
  }

  #keyLength(index: number): number {
    return this.#packed.readUInt32LE(this.#at(index))
  }

  #compare(index: number, key: Uint8Array): number {
    const start = this.#at(index) + HEAD_BYTES
    return this.#packed.compare(key, 0, key.length, start, start + this.#keyLength(index))
  }
}

/** Whether a key lies before the end of a stretch; undefined is after every key. */
export function isBefore(key: Uint8Array, end: Uint8Array | undefined): boolean {
  return end === undefined || Buffer.compare(key, end) < 0
}

/** The least key greater than `key`. */
export function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}

/** Reverses packed entries that came in descending order. */
export function upwards(packed: Uint8Array): Uint8Array {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength)
  const offsets = offsetsOf(bytes)
  const entries: Uint8Array[] = []
  for (let index = offsets.length - 2; index >= 0; index--)
    entries.push(bytes.subarray(offsets[index], offsets[index + 1]))
  return Buffer.concat(entries)
}

/** Binary search: the first index in 0 .. count for which `holds` is false. */
export function search(count: number, holds: (index: number) => boolean): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(middle)) low = middle + 1
    else high = middle
  }
  return low
}

function offsetsOf(packed: Buffer): Uint32Array {
  const offsets: number[] = []
  let at = 0
  while (at < packed.length) {
    offsets.push(at)
    at += HEAD_BYTES + packed.readUInt32LE(at) + packed.readUInt32LE(at + 4)
  }
  offsets.push(at)
  return Uint32Array.from(offsets)
}

function packEntry(key: Uint8Array, value: Uint8Array): Uint8Array {
  const entry = Buffer.allocUnsafe(HEAD_BYTES + key.length + value.length)
  entry.writeUInt32LE(key.length)
  entry.writeUInt32LE(value.length, 4)
  entry.set(key, HEAD_BYTES)
  entry.set(value, HEAD_BYTES + key.length)
  return entry
}
