// Caches ranges of a key-value engine that can only be read asynchronously (in another thread or
// over a network). A read of what is in memory is answered at once; any other throws Fault, whose
// load fetches it.
//
// Memory holds segments: stretches of the key space of which every entry is known, so that
// emptiness is known, too (a new directory has no names). Segments never overlap. Batches that
// resolve are applied to them, so nothing gets stale.

import { stepNumber } from '../../base/step.ts'
import { Fault } from '../store.ts'
import { GROUP_COUNT, type Group, type KvRange } from './engine.ts'
import { type Change, isBefore, Segment, search, successor, upwards } from './segment.ts'

/**
 * Entries of a stretch as an engine returns them: packed as in engine.ts, in the order of the walk.
 */
export interface Stretch {
  readonly packed: Uint8Array
  /** The walk reached the end of the range; otherwise it stopped after the last entry. */
  readonly complete: boolean
}

/**
 * Reads a range, without a limit of entries, as of the time of the call: no batch is seen in part.
 */
export type FetchStretch = (range: Omit<KvRange, 'limit'>) => Promise<Stretch>

/** One change of a batch. */
export interface GroupChange extends Change {
  readonly group: Group
}

interface Load {
  /** Changes that resolved since the load began: the fetched data may lack them. */
  readonly missed: GroupChange[]
}

/** Assumed size of an entry where only the number of entries is known. */
const ENTRY_BYTES = 128
/** Smallest load: a turn of the event loop costs as much as reading this. */
const LOAD_BYTES_MIN = 16 * 1024
/** Largest load: a walk that continues where the last one ended doubles it up to this. */
const LOAD_BYTES_MAX = 1024 * 1024
/** Climbs (see #climbed) that are recognized at the same time, each through rows of its own. */
const CLIMBS_MAX = 8
/**
 * Segments that a step used before it faulted stay for this long, whatever the budget, so that the
 * step finds them when it runs again, and ends.
 */
const STEP_PIN_MS = 1000
/** A loaded segment stays for this long, until the waiting step has run again. */
const LOAD_PIN_MS = 100

export class RangeCache {
  readonly #fetch: FetchStretch
  readonly #budget: number
  /** Sorted segments, by group. */
  readonly #groups: Segment[][] = Array.from({ length: GROUP_COUNT }, () => [])
  /**
   * Ends of the segments last loaded for reverse reads. A reverse read that begins after one of
   * them belongs to a climb: a caller that asks, for ascending keys, for the entry before each.
   */
  readonly #climbed: Uint8Array[][] = Array.from({ length: GROUP_COUNT }, () => [])
  #bytes = 0
  /** Segments that the current step has used. */
  #used: Segment[] = []
  #step = 0
  readonly #loads = new Set<Load>()
  readonly #running = new Map<string, Promise<void>>()

  /** `budget`: bytes to keep, not counting what waiting steps have used. */
  constructor(fetch: FetchStretch, budget: number) {
    this.#fetch = fetch
    this.#budget = budget
  }

  /** As KvReader.range. Throws Fault for what is not in memory. */
  read(range: KvRange): Uint8Array {
    const { gte, lt, reverse, limit, bytes } = range
    const segments = this.#groups[range.group] as Segment[]
    const parts: Uint8Array[] = []
    let entries = 0
    let taken = 0
    if (this.#step !== stepNumber()) {
      this.#step = stepNumber()
      this.#used = []
    }
    let at: Uint8Array | undefined = reverse ? lt : gte
    while (isBefore(gte, lt)) {
      const segment = segments[indexOf(segments, at, reverse)]
      if (segment === undefined) {
        // Copied: the caller may reuse the buffer of its key.
        const from = at && Uint8Array.from(at)
        const wanted = Math.min(bytes - taken, (limit - entries) * ENTRY_BYTES)
        const until = performance.now() + STEP_PIN_MS
        for (const its of this.#used) its.pinnedUntilMs = until
        throw new Fault(() => this.#load(range.group, from, reverse, wanted))
      }
      segment.usedMs = performance.now()
      this.#used.push(segment)
      const first = segment.countBefore(gte)
      const end = segment.countBefore(lt)
      const before = parts.length
      entries += segment.take(first, end, reverse, limit - entries, bytes - taken, parts)
      for (let part = before; part < parts.length; part++) taken += parts[part]?.length ?? 0
      if (entries >= limit || taken >= bytes) break
      at = reverse ? segment.from : segment.to
      if (at === undefined || (reverse ? !isBefore(gte, at) : !isBefore(at, lt))) break
    }
    return Buffer.concat(parts)
  }

  /**
   * Applies a batch that has resolved. Copies: the caller may reuse the bytes of keys and values.
   */
  apply(changes: readonly GroupChange[]): void {
    for (const { missed } of this.#loads)
      for (const { group, key, value } of changes)
        missed.push({ group, key: Uint8Array.from(key), value: value && Uint8Array.from(value) })
    for (const [group, segments] of this.#groups.entries()) {
      const its = changes.filter((change) => change.group === group)
      if (its.length > 0) this.#set(group as Group, changedBy(segments, its))
    }
    this.#evict()
  }

  /**
   * Fetches on from a key that is in no segment: upwards, or if `reverse` downwards from before the
   * key (undefined: from the group's end).
   */
  #load(group: Group, at: Uint8Array | undefined, reverse: boolean, wanted: number): Promise<void> {
    const name = `${group}${reverse ? '<' : '>'}${at === undefined ? '' : `=${text(at)}`}`
    let running = this.#running.get(name)
    if (running === undefined) {
      running = this.#bring(group, at, reverse, wanted).finally(() => this.#running.delete(name))
      this.#running.set(name, running)
    }
    return running
  }

  async #bring(
    group: Group,
    at: Uint8Array | undefined,
    reverse: boolean,
    wanted: number,
  ): Promise<void> {
    const segments = this.#groups[group] as Segment[]
    // Reads on beyond the request, as far as the next segment, because that is usually requested
    // next.
    const index = countFrom(segments, at, reverse)
    const next = segments[reverse ? index - 1 : index]
    const gte = reverse
      ? next === undefined
        ? new Uint8Array()
        : (next.to as Uint8Array)
      : (at as Uint8Array)
    const lt = reverse ? at : next?.from
    const above = segments[index]?.from
    // In a climb, what lies above the key is requested next, so read upwards.
    const climbed = this.#climbed[group] as Uint8Array[]
    const isClimb = reverse && next?.to !== undefined && climbed.includes(next.to)
    const last = at === undefined ? undefined : segments[indexOf(segments, at, !reverse)]
    const before = (isClimb ? next.run : last?.run) ?? 0
    const run = Math.min(LOAD_BYTES_MAX, Math.max(LOAD_BYTES_MIN, wanted / 4, 2 * before))
    const load: Load = { missed: [] }
    this.#loads.add(load)
    const fetched = async (end: Uint8Array | undefined, down: boolean): Promise<Segment> => {
      const stretch = await this.#fetch({ group, gte, lt: end, reverse: down, bytes: run })
      return segmentOf(gte, end, down, stretch, run)
    }
    try {
      let brought = isClimb ? await fetched(above, false) : undefined
      if (brought === undefined || !reaches(brought, at)) brought = await fetched(lt, reverse)
      const missed = load.missed.filter((change) => change.group === group)
      this.#insert(group, brought, missed)
      if (reverse && brought.to !== undefined) climbed.push(brought.to)
      if (climbed.length > CLIMBS_MAX) climbed.shift()
    } finally {
      this.#loads.delete(load)
    }
    this.#evict()
  }

  #insert(group: Group, brought: Segment, missed: readonly GroupChange[]): void {
    // A key may have been changed more than once: its last change counts.
    const last = new Map(missed.map((change) => [text(change.key), change]))
    const parts = changedBy(brought.pieces(), [...last.values()])
    // Other loads may have fetched parts of it meanwhile; both are up to date. Only the segments
    // that overlap are replaced, because there may be very many.
    const segments = this.#groups[group] as Segment[]
    const before = countFrom(segments, brought.from, true)
    const first =
      before > 0 && isBefore(brought.from, segments[before - 1]?.to) ? before - 1 : before
    const met = segments.slice(first, countFrom(segments, brought.to, true))
    const rest = met.flatMap((segment) => segment.without(brought.from, brought.to))
    rest.splice(countFrom(rest, brought.from, true), 0, ...parts)
    segments.splice(first, met.length, ...rest)
    this.#bytes += sumOf(rest) - sumOf(met)
  }

  #set(group: Group, segments: Segment[]): void {
    this.#bytes += sumOf(segments) - sumOf(this.#groups[group] as Segment[])
    this.#groups[group] = segments
  }

  #evict(): void {
    if (this.#bytes <= this.#budget) return
    const now = performance.now()
    const old = this.#groups.flat().filter(({ pinnedUntilMs }) => pinnedUntilMs < now)
    old.sort((a, b) => a.usedMs - b.usedMs)
    const gone = new Set<Segment>()
    let left = this.#bytes
    for (const segment of old) {
      if (left <= (this.#budget * 7) / 8) break
      left -= segment.bytes
      gone.add(segment)
    }
    if (gone.size === 0) return
    for (const [group, segments] of this.#groups.entries())
      this.#set(
        group as Group,
        segments.filter((segment) => !gone.has(segment)),
      )
  }
}

function sumOf(segments: readonly Segment[]): number {
  return segments.reduce((bytes, its) => bytes + its.bytes, 0)
}

/** The segments after changes; changes of keys in no segment are ignored. No key occurs twice. */
function changedBy(segments: readonly Segment[], changes: readonly Change[]): Segment[] {
  const touched = new Map<Segment, Change[]>()
  for (const change of changes) {
    const segment = segments[indexOf(segments, change.key, false)]
    if (segment === undefined) continue
    const its = touched.get(segment)
    if (its === undefined) touched.set(segment, [change])
    else its.push(change)
  }
  return segments.flatMap((segment) => {
    const its = touched.get(segment)
    return its === undefined ? segment : segment.changed(its)
  })
}

/**
 * Number of segments that begin at or before a key; with `before`, strictly before it. Undefined
 * stands for the group's end.
 */
function countFrom(
  segments: readonly Segment[],
  key: Uint8Array | undefined,
  before: boolean,
): number {
  if (key === undefined) return segments.length
  const most = before ? -1 : 0
  return search(
    segments.length,
    (index) => Buffer.compare((segments[index] as Segment).from, key) <= most,
  )
}

/**
 * Index of the segment that holds a key or, with `before`, the position right before it; -1 if none
 * does.
 */
function indexOf(
  segments: readonly Segment[],
  key: Uint8Array | undefined,
  before: boolean,
): number {
  const index = countFrom(segments, key, before) - 1
  const segment = segments[index]
  if (segment === undefined) return -1
  if (segment.to === undefined) return index
  if (key === undefined) return -1
  const order = Buffer.compare(key, segment.to)
  return order < 0 || (before && order === 0) ? index : -1
}

/** Whether a stretch includes the position right before a key. */
function reaches({ to }: Segment, key: Uint8Array | undefined): boolean {
  return to === undefined || (key !== undefined && Buffer.compare(key, to) <= 0)
}

/** The segment that a walk has fetched; if the walk stopped early, it ends at the last entry. */
function segmentOf(
  gte: Uint8Array,
  lt: Uint8Array | undefined,
  reverse: boolean,
  { packed, complete }: Stretch,
  run: number,
): Segment {
  const now = performance.now()
  const uses = { run, usedMs: now, pinnedUntilMs: now + LOAD_PIN_MS }
  const all = new Segment(gte, lt, reverse ? upwards(packed) : packed, uses)
  if (complete || all.size === 0) return all
  const end = Uint8Array.from(all.key(reverse ? 0 : all.size - 1))
  if (reverse) return new Segment(end, lt, upwards(packed), uses)
  return new Segment(gte, successor(end), packed, uses)
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
