// The engine that keeps rows in memory: for tests, and as the reference for the other engines. Rows
// are sorted in pieces of bounded length, so that the cost of a put or scan does not grow with the
// collection.

import { firstIndex } from '../base/sorted.ts'
import { type Collection, collections, type Key } from './collections.ts'
import { compareKeys, keyOf } from './keys.ts'
import { type Batch, type Range, type Store, StoreError, type StoreStats } from './store.ts'

/** Opens a new, empty store, which is gone when it is closed. */
export function openMemory(): Store {
  return new MemoryStore()
}

interface Item {
  readonly key: Key
  readonly row: object
}

/** The position of a key, or where it would be inserted. */
interface Position {
  readonly piece: number
  readonly index: number
  readonly found: boolean
}

/** A longer piece is split in halves. */
const PIECE_ITEMS_MAX = 512

/** Items in key order. */
class SortedItems {
  /** Only the first may be empty. */
  readonly #pieces: Item[][]

  constructor(pieces: Item[][] = [[]]) {
    this.#pieces = pieces
  }

  /** A copy that shares the items, which are never changed in place. */
  copy(): SortedItems {
    return new SortedItems(this.#pieces.map((items) => [...items]))
  }

  get(key: Key): Item | undefined {
    const { piece, index, found } = this.#find(key)
    return found ? this.#pieces[piece]?.[index] : undefined
  }

  set(item: Item): void {
    const { piece, index, found } = this.#find(item.key)
    const items = this.#pieces[piece] as Item[]
    items.splice(index, found ? 1 : 0, item)
    if (items.length > PIECE_ITEMS_MAX) {
      this.#pieces.splice(piece + 1, 0, items.splice(PIECE_ITEMS_MAX / 2))
    }
  }

  delete(key: Key): void {
    const { piece, index, found } = this.#find(key)
    if (!found) return
    const items = this.#pieces[piece] as Item[]
    items.splice(index, 1)
    if (items.length === 0 && this.#pieces.length > 1) this.#pieces.splice(piece, 1)
  }

  /** The items from `gte` on, ascending. */
  *from(gte: Key): Generator<Item> {
    const start = this.#find(gte)
    for (let p = start.piece; p < this.#pieces.length; p++) {
      const items = this.#pieces[p] as Item[]
      for (let i = p === start.piece ? start.index : 0; i < items.length; i++)
        yield items[i] as Item
    }
  }

  /** The items before `lt` (all if undefined), descending. */
  *before(lt: Key | undefined): Generator<Item> {
    const last = this.#pieces.length - 1
    const end = lt === undefined ? undefined : this.#find(lt)
    for (let p = end?.piece ?? last; p >= 0; p--) {
      const items = this.#pieces[p] as Item[]
      for (let i = (p === end?.piece ? end.index : items.length) - 1; i >= 0; i--)
        yield items[i] as Item
    }
  }

  #find(key: Key): Position {
    const next = firstIndex(this.#pieces.length, (i) => {
      const first = this.#pieces[i]?.[0]
      return first !== undefined && compareKeys(first.key, key) > 0
    })
    const piece = Math.max(0, next - 1)
    const items = this.#pieces[piece] as Item[]
    const index = firstIndex(items.length, (i) => compareKeys((items[i] as Item).key, key) >= 0)
    const at = items[index]
    return { piece, index, found: at !== undefined && compareKeys(at.key, key) === 0 }
  }
}

class MemoryStore implements Store {
  readonly traits = {
    backend: 'memory',
    synchronous: true,
    persistent: false,
    compresses: false,
    compactsOnline: true,
    keyBytesMax: Number.MAX_SAFE_INTEGER,
    durability: 'none: gone with the process',
    growth: 0,
    reserveBytes: 0,
  }
  readonly #items: Map<string, SortedItems>
  readonly #readOnly: boolean
  #open = true

  constructor(items?: Map<string, SortedItems>) {
    this.#items = items ?? new Map(collections.map(({ name }) => [name, new SortedItems()]))
    this.#readOnly = items !== undefined
  }

  get<R extends object>(collection: Collection<R>, key: Key): R | undefined {
    const item = this.#itemsOf(collection).get(key)
    return item === undefined ? undefined : (copyRow(collection, item.row) as R)
  }

  scan<R extends object>(collection: Collection<R>, range: Range): R[] {
    return this.#within(collection, range).map((row) => copyRow(collection, row) as R)
  }

  project<R extends object, F extends keyof R & string>(
    collection: Collection<R>,
    fields: readonly F[],
    range: Range,
  ): Pick<R, F>[] {
    return this.#within(collection, range).map((row) => {
      const copy = copyRow(collection, row) as R
      return Object.fromEntries(fields.map((field) => [field, copy[field]])) as Pick<R, F>
    })
  }

  #within<R extends object>(collection: Collection<R>, range: Range): object[] {
    const { gte = [], lt, reverse = false, limit } = range
    const items = this.#itemsOf(collection)
    const rows: object[] = []
    for (const { key, row } of reverse ? items.before(lt) : items.from(gte)) {
      if (rows.length >= limit) break
      const outside = reverse
        ? compareKeys(key, gte) < 0
        : lt !== undefined && compareKeys(key, lt) >= 0
      if (outside) break
      rows.push(row)
    }
    return rows
  }

  async commit(batch: Batch): Promise<void> {
    this.#assertOpen()
    if (this.#readOnly) throw new StoreError('locked', 'the vault is open for reading only')
    // Everything is copied, and thereby checked, before anything is changed.
    const changes = batch.map(({ collection, puts, deletes }) => ({
      items: this.#itemsOf(collection),
      puts: puts.map((row) => ({ key: keyOf(collection, row), row: copyRow(collection, row) })),
      deletes,
    }))
    for (const { items, puts, deletes } of changes) {
      for (const key of deletes) items.delete(key)
      for (const item of puts) items.set(item)
    }
  }

  async view(): Promise<Store> {
    this.#assertOpen()
    return new MemoryStore(new Map([...this.#items].map(([name, items]) => [name, items.copy()])))
  }

  stats(): StoreStats {
    this.#assertOpen()
    return { bytes: 0, engine: {} }
  }

  async compact(): Promise<void> {
    this.#assertOpen()
  }

  async verify(): Promise<string[]> {
    this.#assertOpen()
    return []
  }

  async close(): Promise<void> {
    this.#open = false
    this.#items.clear()
  }

  #itemsOf(collection: Collection<never> | Collection<object>): SortedItems {
    this.#assertOpen()
    const items = this.#items.get(collection.name)
    if (items === undefined) throw new TypeError(`no collection is named ${collection.name}`)
    return items
  }

  #assertOpen(): void {
    if (!this.#open) throw new StoreError('closed', 'the vault is closed')
  }
}

/**
 * A copy of a row, of its declared fields only, with its own bytes. Throws TypeError for a value
 * that does not fit its column.
 */
function copyRow(collection: Collection<never> | Collection<object>, row: object): object {
  const { name, fields, types } = collection
  const copy: Record<string, unknown> = {}
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i] as string
    const value = (row as Record<string, unknown>)[field]
    const type = types[i]
    const fits =
      type === 'uint' || type === 'int'
        ? Number.isSafeInteger(value)
        : type === 'bytes'
          ? value === null || value instanceof Uint8Array
          : typeof value === 'string'
    if (!fits) throw new TypeError(`${name}: ${field} cannot hold ${String(value)}`)
    copy[field] = value instanceof Uint8Array ? Uint8Array.from(value) : value
  }
  return copy
}
