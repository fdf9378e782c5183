// A stretch of the key space of which every entry is known: what RangeCache keeps. Pure data.

/** A segment that grows beyond this is halved. */
const SEGMENT_BYTES_MAX = 64 * 1024
/** What an entry takes beside its bytes, about. */
const ENTRY_BYTES = 160
const SEGMENT_BYTES = 300

/** Negative, 0 or positive as a sorts before, with or after b, byte by byte. */
export const compareBytes: (a: Uint8Array, b: Uint8Array) => number = Buffer.compare

export class Segment {
  /** from <= key < to for each of `keys`, which are in order; `values` beside them. */
  readonly from: Uint8Array
  readonly to: Uint8Array
  readonly #keys: Uint8Array[]
  readonly #values: Uint8Array[]
  /** Memory that it takes, about. */
  bytes: number
  /** How much was read when it was brought, and when it was last used; ms since 1970. */
  readonly run: number
  usedMs: number

  constructor(
    from: Uint8Array,
    to: Uint8Array,
    keys: Uint8Array[],
    values: Uint8Array[],
    run: number,
    usedMs: number,
  ) {
    this.from = from
    this.to = to
    this.#keys = keys
    this.#values = values
    this.run = run
    this.usedMs = usedMs
    this.bytes = SEGMENT_BYTES
    for (let i = 0; i < keys.length; i++) this.bytes += this.#cost(i)
  }

  /** Number of entries. */
  get size(): number {
    return this.#keys.length
  }

  /** Calls `take` for the entries of [from, to) until it returns false; true if it did. */
  walk(
    from: Uint8Array,
    to: Uint8Array,
    reverse: boolean,
    take: (key: Uint8Array, value: Uint8Array) => boolean,
  ): boolean {
    const first = this.#index(from)
    const end = this.#index(to)
    for (let i = 0; i < end - first; i++) {
      const at = reverse ? end - 1 - i : first + i
      if (!take(this.#keys[at] as Uint8Array, this.#values[at] as Uint8Array)) return true
    }
    return false
  }

  put(key: Uint8Array, value: Uint8Array): void {
    const at = this.#index(key)
    if (this.#holds(at, key)) {
      this.bytes += value.length - (this.#values[at] as Uint8Array).length
      this.#values[at] = value
      return
    }
    this.#keys.splice(at, 0, key)
    this.#values.splice(at, 0, value)
    this.bytes += this.#cost(at)
  }

  delete(key: Uint8Array): void {
    const at = this.#index(key)
    if (!this.#holds(at, key)) return
    this.bytes -= this.#cost(at)
    this.#keys.splice(at, 1)
    this.#values.splice(at, 1)
  }

  /** What is left of it beside [from, to). */
  without(from: Uint8Array, to: Uint8Array): Segment[] {
    if (compareBytes(to, this.from) <= 0 || compareBytes(this.to, from) <= 0) return [this]
    const rest: Segment[] = []
    if (compareBytes(this.from, from) < 0)
      rest.push(this.#part(0, this.#index(from), this.from, from))
    if (compareBytes(to, this.to) < 0)
      rest.push(this.#part(this.#index(to), this.size, to, this.to))
    return rest
  }

  /** Itself, or parts of it when it is too large. */
  halves(): Segment[] {
    if (this.bytes <= SEGMENT_BYTES_MAX || this.size < 2) return [this]
    const middle = this.size >>> 1
    const border = this.#keys[middle] as Uint8Array
    const left = this.#part(0, middle, this.from, border)
    const right = this.#part(middle, this.size, border, this.to)
    return [...left.halves(), ...right.halves()]
  }

  #part(first: number, end: number, from: Uint8Array, to: Uint8Array): Segment {
    const keys = this.#keys.slice(first, end)
    return new Segment(from, to, keys, this.#values.slice(first, end), this.run, this.usedMs)
  }

  #cost(at: number): number {
    return (
      ENTRY_BYTES + (this.#keys[at] as Uint8Array).length + (this.#values[at] as Uint8Array).length
    )
  }

  #holds(at: number, key: Uint8Array): boolean {
    const there = this.#keys[at]
    return there !== undefined && compareBytes(there, key) === 0
  }

  /** Number of keys before `key`. */
  #index(key: Uint8Array): number {
    return countBefore(this.#keys.length, (i) => compareBytes(this.#keys[i] as Uint8Array, key) < 0)
  }
}

/**
 * Index of the segment that holds `key`, or, with `before`, what comes right before it; -1 if none does. The segments are in
 * order and do not overlap.
 */
export function findSegment(
  segments: readonly Segment[],
  key: Uint8Array,
  before: boolean,
): number {
  const index = segmentsBefore(segments, key, before) - 1
  const segment = segments[index]
  if (segment === undefined) return -1
  const order = compareBytes(key, segment.to)
  return order < 0 || (before && order === 0) ? index : -1
}

/** Number of segments that begin at or before `key`; before it, with `before`. */
export function segmentsBefore(
  segments: readonly Segment[],
  key: Uint8Array,
  before: boolean,
): number {
  const most = before ? -1 : 0
  return countBefore(
    segments.length,
    (i) => compareBytes((segments[i] as Segment).from, key) <= most,
  )
}

/** The first index in 0 .. count for which `isBefore`, true up to some index, is false. */
function countBefore(count: number, isBefore: (index: number) => boolean): number {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBefore(middle)) low = middle + 1
    else high = middle
  }
  return low
}
