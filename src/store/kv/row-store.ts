// The reading half of a Store, over a key-value engine or a view of it: get, scan and project.

import type { Collection, Key } from '../collections.ts'
import { corrupt, type Range } from '../store.ts'
import { Cursor } from './cursor.ts'
import type { KvReader } from './engine.ts'
import { codecOf, type LoadBody, type RowCodec, type RowReader, type Slice } from './row-codec.ts'
import { Writer } from './writer.ts'

/**
 * A range is read in one call, so that no commit is seen in part. Its size is bounded by the
 * caller's limit only.
 */
const RANGE_BYTES_MAX = 2 ** 30
/**
 * Attempts to read rows whose bytes are stored apart: a commit between the two reads may remove the
 * bytes, and then all is read again.
 */
const TORN_READS_MAX = 5

/**
 * Reads rows; the methods are described in Store. Throws StoreError, and Fault where the engine
 * does.
 */
export class RowStore {
  readonly #reader: KvReader
  readonly #from = new Writer()
  readonly #to = new Writer()
  readonly #cursor = new Cursor()

  constructor(reader: KvReader) {
    this.#reader = reader
  }

  get<R extends object>(collection: Collection<R>, key: Key): R | undefined {
    const codec = codecOf(collection)
    if (key.length !== collection.keyLength)
      throw new TypeError(`a key of ${collection.name} has ${collection.keyLength} components`)
    const bytes = this.#bound(this.#from, codec, key)
    for (let attempt = 0; attempt < TORN_READS_MAX; attempt++) {
      const value = this.#reader.get(codec.layout.group, bytes)
      if (value === undefined) return undefined
      const row = codec.all.read(whole(bytes), whole(asBuffer(value)), this.#loader(codec))
      if (row !== undefined) return row as R
    }
    throw corrupt(`a row of ${collection.name} without its bytes`)
  }

  scan<R extends object>(collection: Collection<R>, range: Range): R[] {
    const codec = codecOf(collection)
    return this.#scan(codec, codec.all, range) as R[]
  }

  project<R extends object, F extends keyof R & string>(
    collection: Collection<R>,
    fields: readonly F[],
    range: Range,
  ): Pick<R, F>[] {
    const codec = codecOf(collection)
    return this.#scan(codec, codec.reader(fields), range) as Pick<R, F>[]
  }

  #scan(codec: RowCodec, reader: RowReader, range: Range): object[] {
    const { gte = [], lt = [], reverse = false, limit } = range
    if (limit <= 0) return []
    const { group } = codec.layout
    const from = this.#bound(this.#from, codec, gte)
    const to =
      lt.length === 0 ? Buffer.of(codec.layout.number + 1) : this.#bound(this.#to, codec, lt)
    if (from.compare(to) >= 0) return []
    const load = this.#loader(codec)
    for (let attempt = 0; attempt < TORN_READS_MAX; attempt++) {
      const wanted = { group, gte: from, lt: to, reverse, limit, bytes: RANGE_BYTES_MAX }
      const packed = asBuffer(this.#reader.range(wanted))
      const rows: object[] = []
      if (
        eachEntry(this.#cursor, packed, (key, value) => {
          const row = reader.read(key, value, load)
          if (row !== undefined) rows.push(row)
          return row !== undefined
        })
      )
        return rows
    }
    throw corrupt(`a row of ${codec.layout.collection.name} without its bytes`)
  }

  #bound(writer: Writer, codec: RowCodec, key: Key): Buffer {
    codec.writeBound(writer.reset(), key)
    return writer.written()
  }

  #loader({ layout }: RowCodec): LoadBody {
    const { bodyGroup } = layout
    return ({ bytes, from, to }) => {
      if (bodyGroup === undefined) return undefined
      const body = this.#reader.get(bodyGroup, bytes.subarray(from, to))
      return body === undefined ? undefined : Buffer.from(body)
    }
  }
}

/**
 * Visits packed entries until `show` returns false, and then returns false. Throws StoreError
 * 'corrupt'.
 */
export function eachEntry(
  cursor: Cursor,
  packed: Buffer,
  show: (key: Slice, value: Slice) => boolean,
): boolean {
  for (let at = 0; at < packed.byteLength; ) {
    cursor.over(packed, at, packed.byteLength)
    const keyLength = cursor.u32()
    const valueLength = cursor.u32()
    const keyAt = cursor.at
    const valueAt = keyAt + keyLength
    at = valueAt + valueLength
    if (at > packed.byteLength || keyLength === 0) throw corrupt('an entry that is cut off')
    const key = { bytes: packed, from: keyAt, to: valueAt }
    if (!show(key, { bytes: packed, from: valueAt, to: at })) return false
  }
  return true
}

function whole(bytes: Buffer): Slice {
  return { bytes, from: 0, to: bytes.byteLength }
}

/** A Buffer over the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
