// A batch as one ArrayBuffer that moves between threads without being cloned: written by the main thread, which must
// spend little, read row by row by the commit thread.
//
//   cells   a double a value, in the order of rows and fields: the number itself, or how many bytes a string or blob has (-1: null)
//   bytes   the strings and blobs behind each other, in the same order: names and digests a byte a char, text in UTF-8

import type { Collection, ColumnType, Key } from '../collections.ts'
import type { Batch } from '../store.ts'
import { tableOf } from './schema.ts'

/** The rows of one collection within a batch: `deletes` keys come first, then `puts` rows. */
export interface Part {
  readonly collection: string
  readonly deletes: number
  readonly puts: number
}

export interface PackedBatch {
  readonly parts: readonly Part[]
  readonly buffer: ArrayBuffer
  /** Where the bytes begin, after the cells. */
  readonly bytesOffset: number
}

/** A value as SQLite binds it. */
export type Value = number | Buffer | null

type Cell = number | string | Uint8Array | null

const CELL_BYTES = 8
/** Small batches share what is kept for a small one. */
const BUFFER_BYTES_MIN = 64 * 1024
const FREE_MAX = 2
/** A commit of 32 MiB and its rows fit; what is larger is rare and goes back to the system. */
const FREE_BYTES_MAX = 48 * 1024 * 1024

/**
 * Buffers that came back, to be filled again: a fresh one costs the main thread more in page faults than the copying does.
 * Keeps as many as can be on their way, a batch that is written and one behind it.
 */
export class BufferPool {
  readonly #free: ArrayBuffer[] = []

  /** A buffer of at least that length, its content undefined. */
  take(bytes: number): ArrayBuffer {
    const at = this.#free.findIndex((buffer) => buffer.byteLength >= bytes)
    if (at >= 0) return this.#free.splice(at, 1)[0] as ArrayBuffer
    // One that is too small would stay so: batches are mostly of a size.
    this.#free.pop()
    return Buffer.allocUnsafeSlow(Math.max(bytes, BUFFER_BYTES_MIN)).buffer as ArrayBuffer
  }

  give(buffer: ArrayBuffer): void {
    if (this.#free.length < FREE_MAX && buffer.byteLength <= FREE_BYTES_MAX) this.#free.push(buffer)
  }
}

/**
 * Copies a batch into a buffer of the pool. Throws TypeError for a value that does not fit its column: a bug of the
 * caller, nothing is posted then.
 */
export function pack(batch: Batch, pool: BufferPool): PackedBatch {
  const packer = new Packer(batch, pool)
  const parts: Part[] = []
  for (const { collection, puts, deletes } of batch) {
    for (const key of deletes) packer.key(collection, key)
    for (const row of puts) packer.row(collection, row as Record<string, Cell>)
    parts.push({ collection: collection.name, deletes: deletes.length, puts: puts.length })
  }
  return { parts, buffer: packer.buffer, bytesOffset: packer.bytesOffset }
}

/** Reads the values of a packed batch in order. They are views of its buffer. */
export class Unpacker {
  readonly #cells: Float64Array
  readonly #bytes: Buffer
  #cell = 0
  #offset = 0

  constructor(packed: PackedBatch) {
    this.#cells = new Float64Array(packed.buffer, 0, packed.bytesOffset / CELL_BYTES)
    this.#bytes = Buffer.from(packed.buffer, packed.bytesOffset)
  }

  /** Fills `values` with one row or key, a value for each of `types`. */
  next(types: readonly ColumnType[], values: Value[]): void {
    for (let i = 0; i < values.length; i++) {
      const cell = this.#cells[this.#cell++] as number
      const type = types[i]
      if (type === 'uint' || type === 'int') values[i] = cell
      else if (cell < 0) values[i] = null
      else {
        values[i] = this.#bytes.subarray(this.#offset, this.#offset + cell)
        this.#offset += cell
      }
    }
  }
}

class Packer {
  readonly buffer: ArrayBuffer
  readonly bytesOffset: number
  readonly #cells: Float64Array
  readonly #bytes: Buffer
  #cell = 0
  #offset = 0

  constructor(batch: Batch, pool: BufferPool) {
    let cells = 0
    let bytes = 0
    for (const { collection, puts, deletes } of batch) {
      const { types, keyLength } = tableOf(collection).collection
      const fields: readonly string[] = collection.fields
      cells += puts.length * fields.length + deletes.length * keyLength
      for (let i = 0; i < types.length; i++) {
        const type = types[i] as ColumnType
        if (type === 'uint' || type === 'int') continue
        const field = fields[i] as string
        for (const row of puts) bytes += byteLength(type, (row as Record<string, Cell>)[field])
        if (i < keyLength) for (const key of deletes) bytes += byteLength(type, key[i])
      }
    }
    this.bytesOffset = cells * CELL_BYTES
    this.buffer = pool.take(this.bytesOffset + bytes)
    this.#cells = new Float64Array(this.buffer, 0, cells)
    this.#bytes = Buffer.from(this.buffer, this.bytesOffset)
  }

  key({ name, types, keyLength }: Collection<object>, key: Key): void {
    if (key.length !== keyLength)
      throw new TypeError(`a key of ${name} has ${keyLength} components`)
    for (let i = 0; i < keyLength; i++) this.#put(types[i] as ColumnType, key[i], name)
  }

  row({ name, fields, types }: Collection<object>, row: Record<string, Cell>): void {
    const fieldNames: readonly string[] = fields
    for (let i = 0; i < types.length; i++) {
      this.#put(types[i] as ColumnType, row[fieldNames[i] as string], name)
    }
  }

  #put(type: ColumnType, cell: Cell | undefined, name: string): void {
    if (type === 'uint' || type === 'int') {
      if (!Number.isSafeInteger(cell)) throw new TypeError(`${name}: ${cell} is not a whole number`)
      this.#cells[this.#cell++] = cell as number
    } else if (type === 'bytes') {
      this.#putBytes(cell as Uint8Array | null)
    } else {
      const text = cell as string
      const encoding = type === 'text' ? 'utf8' : 'latin1'
      const length = this.#bytes.write(text, this.#offset, encoding)
      this.#cells[this.#cell++] = length
      this.#offset += length
    }
  }

  #putBytes(bytes: Uint8Array | null): void {
    if (bytes === null) {
      this.#cells[this.#cell++] = -1
      return
    }
    this.#bytes.set(bytes, this.#offset)
    this.#cells[this.#cell++] = bytes.byteLength
    this.#offset += bytes.byteLength
  }
}

function byteLength(type: ColumnType, cell: Cell | undefined): number {
  if (type === 'bytes') {
    if (cell === null) return 0
    if (cell instanceof Uint8Array) return cell.byteLength
  } else if (typeof cell === 'string') {
    return type === 'text' ? Buffer.byteLength(cell) : cell.length
  }
  throw new TypeError(`a ${type} cannot hold ${String(cell)}`)
}
