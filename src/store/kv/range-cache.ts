// Ranges of a key-value engine that can only be read asynchronously, kept in memory: what is there
// is answered at once, what is not throws Fault, whose load brings it. For engines that walk in
// another thread or across a network.
//
// Memory holds segments: stretches of the key space of which every entry is known, so that an empty
// stretch is an answer too (a new directory has no names). They never overlap; batches that resolve
// are applied to them, and nothing gets stale.

import { stepNumber } from '../../base/step.ts'
import { Fault } from '../store.ts'
import { GROUP_COUNT, type Group, type KvRange } from './engine.ts'
import { type Change, isBefore, Segment, search, successor, upwards } from './segment.ts'

/**
 * Entries of a stretch as an engine reads them: packed as engine.ts says, in the order of the walk.
 */
export interface Stretch {
  readonly packed: Uint8Array
  /** The walk came to the end of the stretch; else it stopped behind the last entry. */
  readonly complete: boolean
}

/**
 * Reads a range, without a limit of entries, of one state of the engine: that of the call, in which
 * no batch is seen in part.
 */
export type FetchStretch = (range: Omit<KvRange, 'limit'>) => Promise<Stretch>

/** One change of a batch. */
export interface GroupChange extends Change {
  readonly group: Group
}

interface Load {
  /** Changes that resolved since it began: what it reads may lack them. */
  readonly missed: GroupChange[]
}

/** What an entry has, about, where only their number is known. */
const ENTRY_BYTES = 128
/** The least that is read: a turn of the event loop costs as much as these. */
const LOAD_BYTES_MIN = 16 * 1024
/** A walk that goes on where the last one ended reads twice as much, up to this. */
const LOAD_BYTES_MAX = 1024 * 1024
/** Walks that climb at the same time, each through rows of its own. */
const CLIMBS_MAX = 8
/**
 * What a step has used before it met a read that must wait stays for so long, whatever the budget:
 * it is run again, and ends.
 */
const STEP_PIN_MS = 1000
/** What a load has brought, until whoever waits for it has come to read it. */
const LOAD_PIN_MS = 100

export class RangeCache {
  readonly #fetch: FetchStretch
  readonly #budget: number
  /** By group, in order. */
  readonly #groups: Segment[][] = Array.from({ length: GROUP_COUNT }, () => [])
  /** Where the last stretches end that were read downwards, or by who climbs. */
  readonly #climbed: Uint8Array[][] = Array.from({ length: GROUP_COUNT }, () => [])
  #bytes = 0
  /** What the step that runs now has used. */
  #used: Segment[] = []
  #step = 0
  readonly #loads = new Set<Load>()
  readonly #running = new Map<string, Promise<void>>()

  /** `budget`: bytes that are kept, but for what steps that wait have used. */
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
        // The caller may use the buffer of its key again.
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

  /** Takes in a batch that has resolved. The bytes of its keys and values may change afterwards. */
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
   * Reads on from a key that is in no segment; downwards from before it, or from the group's end,
   * if `reverse`.
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
    // On beyond what was asked for, which is asked for next as a rule, to where the next segment
    // begins.
    const index = countFrom(segments, at, reverse)
    const next = segments[reverse ? index - 1 : index]
    const gte = reverse
      ? next === undefined
        ? new Uint8Array()
        : (next.to as Uint8Array)
      : (at as Uint8Array)
    const lt = reverse ? at : next?.from
    const above = segments[index]?.from
    // Who asks for what comes right before one key after another climbs: what is above is asked for
    // next.
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
    // A key may have been changed more than once: the last of its changes counts.
    const last = new Map(missed.map((change) => [text(change.key), change]))
    const parts = changedBy(brought.pieces(), [...last.values()])
    // Others may have brought some of it meanwhile; both are right. There may be very many beside
    // it, which stay.
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

/**
 * Segments after changes, of which those of keys in none of them are left out; each key occurs
 * once.
 */
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
 * Number of segments that begin at or before a key; before it, with `before`. Undefined: the
 * group's end.
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
 * Index of the segment that holds a key, or, with `before`, what comes right before it; -1 if none
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

/** Whether a stretch holds what comes right before a key. */
function reaches({ to }: Segment, key: Uint8Array | undefined): boolean {
  return to === undefined || (key !== undefined && Buffer.compare(key, to) <= 0)
}

/** What a walk brought as a segment: up to the last entry when it stopped there. */
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
