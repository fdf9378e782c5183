// Rows changed since the last commit, on top of the layers being committed, on top of the engine.
// All reads and writes of a vault go through here, so that an operation sees the effects of every
// one before it. Synchronous; group-commit.ts empties it.
//
// A layer keeps, per collection: first key part -> rest of the key -> change. Nearly all scans stay
// within one first part (the names of a directory, the extents of a file), so that part is the
// index.

import { noteChange } from '../base/step.ts'
import type { Collection, Key, KeyPart } from './collections.ts'
import { compareKeys } from './keys.ts'
import type { Batch, Changes, Range, Store } from './store.ts'

/** A row to be put, or a key to be deleted. */
type Change = { key: Key; row: object | undefined }
type Watcher = (key: Key, row: object | undefined) => void
/** Changes that share a first key part; `sorted` is a cache, dropped when a new key is added. */
interface Group {
  readonly changes: Map<KeyPart, Change>
  sorted: Change[] | undefined
}

/** The changes of one commit. */
export class Layer {
  readonly groups = new Map<Collection<object>, Map<KeyPart, Group>>()
  #size = 0

  /** Number of changed keys. */
  get size(): number {
    return this.#size
  }

  find(collection: Collection<object>, key: Key): Change | undefined {
    return this.groups
      .get(collection)
      ?.get(key[0] as KeyPart)
      ?.changes.get(rest(key))
  }

  set(collection: Collection<object>, key: Key, row: object | undefined): void {
    let groups = this.groups.get(collection)
    if (groups === undefined) {
      groups = new Map()
      this.groups.set(collection, groups)
    }
    const first = key[0] as KeyPart
    let group = groups.get(first)
    if (group === undefined) {
      group = { changes: new Map(), sorted: undefined }
      groups.set(first, group)
    }
    const inner = rest(key)
    const change = group.changes.get(inner)
    if (change === undefined) {
      group.changes.set(inner, { key, row })
      group.sorted = undefined
      this.#size++
    } else change.row = row
  }

  /** Applies the changes of a later layer. */
  add(later: Layer): void {
    for (const [collection, groups] of later.groups)
      for (const group of groups.values())
        for (const { key, row } of group.changes.values()) this.set(collection, key, row)
  }

  /** Forgets the changes below one first key part, as if they had never been made. */
  discard(collection: Collection<object>, first: KeyPart): void {
    const groups = this.groups.get(collection)
    const group = groups?.get(first)
    if (group === undefined) return
    this.#size -= group.changes.size
    groups?.delete(first)
  }

  *rows<R extends object>(collection: Collection<R>): Generator<R> {
    const groups = this.groups.get(collection as unknown as Collection<object>)
    if (groups === undefined) return
    for (const group of groups.values())
      for (const change of group.changes.values())
        if (change.row !== undefined) yield change.row as R
  }

  batch(): Batch {
    const batch: Changes[] = []
    for (const [collection, groups] of this.groups) {
      const puts: object[] = []
      const deletes: Key[] = []
      for (const group of groups.values())
        for (const change of group.changes.values())
          if (change.row === undefined) deletes.push(change.key)
          else puts.push(change.row)
      if (puts.length + deletes.length > 0) batch.push({ collection, puts, deletes })
    }
    return batch
  }
}

function rest(key: Key): KeyPart {
  if (key.length === 2) return key[1] as KeyPart
  return key.length === 1 ? 0 : `${key[1]}\0${key[2]}`
}

/** The newest state of every row. It owns the rows that it returns: change them only by `put`. */
export class Overlay {
  readonly store: Store
  /**
   * A counter that grows with each put or delete: what is derived from rows is valid as long as it
   * stays the same.
   */
  changes = 0
  #fresh = new Layer()
  /** Layers handed over but not yet durable, oldest first. */
  #waiting: Layer[] = []
  /** If set, called with every row that is put, to record which rows come into use. */
  witness: ((collection: Collection<object>, row: object) => void) | undefined
  readonly #watchers = new Map<Collection<object>, Watcher[]>()

  constructor(store: Store) {
    this.store = store
  }

  /** Number of keys changed since the last `handOver`. */
  get size(): number {
    return this.#fresh.size
  }

  get<R extends object>(collection: Collection<R>, key: Key): R | undefined {
    const any = collection as unknown as Collection<object>
    const change = this.#fresh.find(any, key) ?? this.#findWaiting(any, key)
    return change === undefined ? this.store.get(collection, key) : (change.row as R | undefined)
  }

  #findWaiting(collection: Collection<object>, key: Key): Change | undefined {
    for (let at = this.#waiting.length - 1; at >= 0; at--) {
      const change = this.#waiting[at]?.find(collection, key)
      if (change !== undefined) return change
    }
    return undefined
  }

  put<R extends object>(collection: Collection<R>, row: R): void {
    noteChange()
    if (this.witness !== undefined) this.witness(collection as unknown as Collection<object>, row)
    const { fields, keyLength } = collection
    const values = row as Record<string, KeyPart>
    const key: KeyPart[] = []
    for (let at = 0; at < keyLength; at++) key.push(values[fields[at] as string] as KeyPart)
    this.#change(collection as unknown as Collection<object>, key, row)
  }

  delete<R extends object>(collection: Collection<R>, key: Key): void {
    noteChange()
    this.#change(collection as unknown as Collection<object>, key, undefined)
  }

  #change(collection: Collection<object>, key: Key, row: object | undefined): void {
    this.changes++
    this.#fresh.set(collection, key, row)
    const watchers = this.#watchers.get(collection)
    if (watchers !== undefined) for (const heard of watchers) heard(key, row)
  }

  /**
   * Calls `heard` with the key of every later put (with its row) and delete (without) in a
   * collection, for caches derived from rows. It must not read: the operation has already changed
   * something, so a Fault is not allowed.
   */
  watch<R extends object>(
    collection: Collection<R>,
    heard: (key: Key, row: R | undefined) => void,
  ): void {
    const any = collection as unknown as Collection<object>
    const watchers = this.#watchers.get(any) ?? []
    this.#watchers.set(any, [...watchers, heard as Watcher])
  }

  /** Forgets changes that were never handed over, below one first key part. */
  discard<R extends object>(collection: Collection<R>, first: KeyPart): void {
    noteChange()
    this.changes++
    const any = collection as unknown as Collection<object>
    this.#fresh.discard(any, first)
    for (const heard of this.#watchers.get(any) ?? []) heard([first], undefined)
  }

  /** Rows of a range as `Store.scan` gives them, with all changes applied. */
  scan<R extends object>(collection: Collection<R>, range: Range): R[] {
    const any = collection as unknown as Collection<object>
    const changes = this.#changesWithin(any, range)
    if (changes.size === 0) return this.store.scan(collection, range)
    // Each change hides at most one row of the engine, so at least `limit` of these rows remain.
    const stored = this.store.scan(any, { ...range, limit: range.limit + changes.size })
    const key = (row: object): Key =>
      any.fields
        .slice(0, any.keyLength)
        .map((field) => (row as Record<string, KeyPart>)[field] as KeyPart)
    const found: { key: Key; row: object }[] = []
    for (const row of stored) {
      const its = key(row)
      if (!changes.has(its.join('\0'))) found.push({ key: its, row })
    }
    for (const change of changes.values())
      if (change.row !== undefined) found.push({ key: change.key, row: change.row })
    const sign = range.reverse === true ? -1 : 1
    found.sort((a, b) => sign * compareKeys(a.key, b.key))
    if (found.length > range.limit) found.length = range.limit
    return found.map(({ row }) => row) as R[]
  }

  /** The newest change of each key of a range, in order, as far as `limit` rows can need them. */
  #changesWithin(collection: Collection<object>, range: Range): Map<string, Change> {
    const { gte, lt } = range
    const first = gte?.[0]
    const single =
      first !== undefined &&
      (lt?.[0] === first || (lt?.length === 1 && typeof first === 'number' && lt[0] === first + 1))
    const lists: Change[][] = []
    for (const layer of [...this.#waiting, this.#fresh]) {
      const groups = layer.groups.get(collection)
      if (groups === undefined) continue
      if (!single) {
        lists.push([...groups.values()].flatMap((group) => [...group.changes.values()]).sort(byKey))
        continue
      }
      const group = groups.get(first)
      if (group === undefined) continue
      group.sorted ??= [...group.changes.values()].sort(byKey)
      lists.push(group.sorted)
    }
    return lists.length === 0 ? new Map() : mergeLists(lists, range)
  }

  /** Takes all changes out as the next layer to commit; reads see them until `settle`. */
  handOver(): Layer {
    const layer = this.#fresh
    this.#fresh = new Layer()
    this.#waiting.push(layer)
    return layer
  }

  /** The layer that was handed over last becomes part of the one before it. */
  join(): void {
    const newest = this.#waiting.pop()
    if (newest !== undefined) this.#waiting.at(-1)?.add(newest)
  }

  /** The oldest layer is now durable in the engine, and dropped here. */
  settle(): void {
    this.#waiting.shift()
  }

  /**
   * The rows of a collection that were put and are not durable yet; a key may occur more than once.
   */
  *unsettled<R extends object>(collection: Collection<R>): Generator<R> {
    for (const layer of [...this.#waiting, this.#fresh]) yield* layer.rows(collection)
  }

  /** True if no change of `collection` below `first` still waits to become durable. */
  settled<R extends object>(collection: Collection<R>, first: KeyPart): boolean {
    const any = collection as unknown as Collection<object>
    return ![...this.#waiting, this.#fresh].some((layer) => layer.groups.get(any)?.has(first))
  }
}

function byKey(a: Change, b: Change): number {
  return compareKeys(a.key, b.key)
}

/** Merges sorted lists; for equal keys the later list wins. Ends once `limit` rows are found. */
function mergeLists(lists: readonly Change[][], range: Range): Map<string, Change> {
  const { gte, lt, limit } = range
  const reverse = range.reverse === true
  const cursors = lists.map((list) => {
    const from = gte === undefined ? 0 : countBelow(list, gte)
    const to = lt === undefined ? list.length : countBelow(list, lt)
    return reverse ? { list, at: to - 1, left: to - from } : { list, at: from, left: to - from }
  })
  const found = new Map<string, Change>()
  for (let rows = 0; rows < limit; ) {
    let next: Change | undefined
    for (const { list, at, left } of cursors) {
      const change = left > 0 ? (list[at] as Change) : undefined
      if (change === undefined) continue
      const order = next === undefined ? 0 : compareKeys(change.key, next.key)
      if (order === 0 || order < 0 !== reverse) next = change
    }
    if (next === undefined) break
    for (const cursor of cursors) {
      if (cursor.left <= 0 || compareKeys((cursor.list[cursor.at] as Change).key, next.key) !== 0)
        continue
      cursor.at += reverse ? -1 : 1
      cursor.left--
    }
    found.set(next.key.join('\0'), next)
    if (next.row !== undefined) rows++
  }
  return found
}

/** The number of items of a sorted list that come before a key. */
function countBelow(list: readonly Change[], key: Key): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareKeys((list[middle] as Change).key, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
