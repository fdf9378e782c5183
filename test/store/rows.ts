// Rows and keys for the store tests: made from the column types alone, so that every collection is
// covered, new ones too. Orders keys by its own code, independent of src/store/keys.ts.

import type { Collection, ColumnType, Key, KeyPart } from '../../src/store/collections.ts'
import type { Batch, Changes } from '../../src/store/store.ts'
import type { Random } from '../support/random.ts'

export type AnyCollection = Collection<object>
export type AnyRow = Record<string, number | string | Uint8Array | null>

/** One collection's changes, whatever its type of row. */
export function changes<R extends object>(
  collection: Collection<R>,
  puts: readonly R[],
  deletes: readonly Key[] = [],
): Changes {
  return { collection: collection as unknown as AnyCollection, puts, deletes }
}

export function putBatch<R extends object>(collection: Collection<R>, ...rows: R[]): Batch {
  return [changes(collection, rows)]
}

export function keyOfRow(collection: AnyCollection, row: object): Key {
  const fields: readonly string[] = collection.fields
  return fields.slice(0, collection.keyLength).map((field) => (row as AnyRow)[field] as KeyPart)
}

/** The order of two keys: numbers by value, strings as the bytes they stand for. */
export function orderOf(collection: AnyCollection, a: Key, b: Key): number {
  for (const [i, left] of a.entries()) {
    const right = b[i]
    if (right === undefined) return 1
    const type = collection.types[i] as ColumnType
    const order =
      typeof left === 'number'
        ? left - (right as number)
        : Buffer.compare(bytesOf(type, left), bytesOf(type, right as string))
    if (order !== 0) return order
  }
  return a.length - b.length
}

function bytesOf(type: ColumnType, text: string): Buffer {
  return Buffer.from(text, type === 'text' ? 'utf8' : 'latin1')
}

const uints = [0, 1, 2, 5, 127, 255, 256, 65535, 2 ** 31, 2 ** 32, 2 ** 53 - 2, 2 ** 53 - 1]
const names = [
  'a',
  'b',
  'a.txt',
  'A',
  '\xc3\xa4',
  '\xff\xfe',
  '\x01',
  'x y',
  "it's",
  '\xef\xbf\xbd',
]
const texts = ['', 'id', 'gr\u00fc\u00dfe', '\u20ac', '\ud83d\ude00', '\uffee', 'a\0b']

export function randomValue(type: ColumnType, random: Random): AnyRow[string] {
  switch (type) {
    case 'uint':
      return random.below(2) === 0 ? random.pick(uints) : random.below(50)
    case 'int':
      return random.pick([-1, 1]) * random.pick(uints) + 0
    case 'name':
      return random.below(2) === 0
        ? random.pick(names)
        : randomString(random, 1 + random.below(6), 1)
    case 'digest':
      return random.below(4) === 0 ? '' : randomString(random, 32, 0)
    case 'text':
      return random.pick(texts) + random.pick(texts)
    case 'bytes':
      return random.below(4) === 0 ? null : random.bytes(random.below(300))
  }
}

/** Chars from `lowest` to 255. */
function randomString(random: Random, length: number, lowest: number): string {
  return Array.from({ length }, () =>
    String.fromCharCode(lowest + random.below(256 - lowest)),
  ).join('')
}

export function randomRow(collection: AnyCollection, random: Random): AnyRow {
  const row: AnyRow = {}
  for (const [i, field] of (collection.fields as readonly string[]).entries()) {
    row[field] = randomValue(collection.types[i] as ColumnType, random)
  }
  return row
}

/** A row with plain bytes in place of Buffers, so that rows of two engines compare equal. */
export function plain(row: object | undefined): object | undefined {
  if (row === undefined) return undefined
  return Object.fromEntries(
    Object.entries(row).map(([field, value]) => [
      field,
      value instanceof Uint8Array ? Array.from(value) : value,
    ]),
  )
}

/** Rows by key, as a store should hold them: slow, and too simple to be wrong. */
export class Model {
  readonly #rows = new Map<string, Map<string, AnyRow>>()

  apply(batch: Batch): void {
    for (const { collection, puts, deletes } of batch) {
      const rows = this.#of(collection)
      for (const key of deletes) rows.delete(JSON.stringify(key))
      for (const row of puts) {
        rows.set(JSON.stringify(keyOfRow(collection, row)), { ...(row as AnyRow) })
      }
    }
  }

  rows(collection: AnyCollection): AnyRow[] {
    const key = (row: AnyRow) => keyOfRow(collection, row)
    return [...this.#of(collection).values()].sort((a, b) => orderOf(collection, key(a), key(b)))
  }

  #of(collection: AnyCollection): Map<string, AnyRow> {
    const known = this.#rows.get(collection.name)
    if (known !== undefined) return known
    const rows = new Map<string, AnyRow>()
    this.#rows.set(collection.name, rows)
    return rows
  }
}

/**
 * Random puts and deletes in random collections, some of them on rows that the model has. Each key
 * occurs once.
 */
export function randomBatch(
  all: readonly AnyCollection[],
  model: Model,
  random: Random,
  size: number,
): Batch {
  const batch: Changes[] = []
  const chosen = new Set(Array.from({ length: 1 + random.below(4) }, () => random.pick(all)))
  for (const collection of chosen) {
    const existing = model.rows(collection)
    const seen = new Set<string>()
    const fresh = (key: Key) => {
      const text = JSON.stringify(key)
      if (seen.has(text)) return false
      seen.add(text)
      return true
    }
    const puts: object[] = []
    const deletes: Key[] = []
    for (let i = random.below(size); i >= 0; i--) {
      const old = existing.length > 0 && random.below(3) === 0 ? random.pick(existing) : undefined
      const row = randomRow(collection, random)
      const key = keyOfRow(collection, old ?? row)
      if (!fresh(key)) continue
      if (random.below(3) === 0) deletes.push(key)
      // A block never changes, so that engines may ignore a second put.
      else if (old === undefined) puts.push(row)
      else puts.push(collection.name === 'block' ? old : { ...row, ...keyFields(collection, old) })
    }
    if (collection.name !== 'block') batch.push({ collection, puts, deletes })
    else {
      const known = new Set(existing.map((row) => row.hash))
      batch.push({
        collection,
        puts: puts.filter((row) => !known.has((row as AnyRow).hash as string)),
        deletes,
      })
    }
  }
  return batch
}

function keyFields(collection: AnyCollection, row: AnyRow): AnyRow {
  const fields: readonly string[] = collection.fields
  return Object.fromEntries(
    fields.slice(0, collection.keyLength).map((field) => [field, row[field] ?? null]),
  )
}
