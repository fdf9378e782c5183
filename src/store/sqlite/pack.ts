// A batch in memory shared by both threads: the main thread writes it, cheaply, and the commit
// thread reads it row by row. Nothing is cloned or transferred: each transferred ArrayBuffer counts
// as new memory, which would keep the garbage collector busy while large files are written.
//
//   cells   a double a value, in the order of rows and fields: the number itself, or the length
//           in bytes of a string or blob (-1: null)
//   bytes   the strings and blobs one after another, in the same order: names and digests a byte
//           a char, text in UTF-8

import type { Collection, ColumnType, Key } from '../collections.ts'
import type { Batch } from '../store.ts'
import { tableOf } from './schema.ts'

/** The rows of one collection within a batch: `deletes` keys, then `puts` rows. */
export interface Part {
  readonly collection: string
  readonly deletes: number
  readonly puts: number
}

export interface PackedBatch {
  readonly parts: readonly Part[]
  /** The buffer's number in the pool; the thread keeps each buffer under it. */
  readonly slot: number
  /** Given if the slot has a buffer that the thread has not seen. */
  readonly buffer: SharedArrayBuffer | undefined
  /** Offset of the bytes, which follow the cells. */
  readonly bytesOffset: number
}

/** A value as SQLite binds it. */
export type Value = number | string | Buffer | null

type Cell = number | string | Uint8Array | null

const CELL_BYTES = 8
/** Buffer sizes are multiples of this, so that batches of similar size can share them. */
const BUFFER_BYTES_STEP = 1024 * 1024
/** A larger buffer is not kept for the next batch. */
const KEPT_BYTES_MAX = 48 * 1024 * 1024

interface Slot {
  buffer: SharedArrayBuffer
  busy: boolean
}

/** Shared buffers for reuse: as many as batches were ever under way at once. */
export class BufferPool {
  readonly #slots: Slot[] = []

  /**
   * A slot with room for `bytes`, its content undefined; `isNew` if the thread has not seen its
   * buffer.
   */
  take(bytes: number): { slot: number; buffer: SharedArrayBuffer; isNew: boolean } {
    const fits = this.#slots.findIndex(({ busy, buffer }) => !busy && buffer.byteLength >= bytes)
    let slot = fits < 0 ? this.#slots.findIndex(({ busy }) => !busy) : fits
    if (fits < 0) {
      const size = Math.max(1, Math.ceil(bytes / BUFFER_BYTES_STEP)) * BUFFER_BYTES_STEP
      const made = { buffer: new SharedArrayBuffer(size), busy: false }
      if (slot < 0) slot = this.#slots.push(made) - 1
      else this.#slots[slot] = made
    }
    const taken = this.#slots[slot] as Slot
    taken.busy = true
    return { slot, buffer: taken.buffer, isNew: fits < 0 }
  }

  /** Returns a slot whose buffer was never sent to the thread. */
  drop(slot: number): void {
    this.#slots[slot] = { buffer: new SharedArrayBuffer(0), busy: false }
  }

  give(slot: number): void {
    const given = this.#slots[slot]
    if (given === undefined) return
    given.busy = false
    if (given.buffer.byteLength > KEPT_BYTES_MAX) given.buffer = new SharedArrayBuffer(0)
  }
}

/**
 * Copies a batch into a buffer of the pool. Throws TypeError for a value that does not fit its
 * column: a bug of the caller; nothing is posted then.
 */
export function pack(batch: Batch, pool: BufferPool): PackedBatch {
  const packer = new Packer(batch, pool)
  const parts: Part[] = []
  try {
    for (const { collection, puts, deletes } of batch) {
      for (const key of deletes) packer.key(collection, key)
      for (const row of puts) packer.row(collection, row as Record<string, Cell>)
      parts.push({ collection: collection.name, deletes: deletes.length, puts: puts.length })
    }
  } catch (error) {
    pool.drop(packer.taken.slot)
    throw error
  }
  const { slot, isNew, buffer } = packer.taken
  return { parts, slot, buffer: isNew ? buffer : undefined, bytesOffset: packer.bytesOffset }
}

/** Reads the values of a packed batch in order, as views of its buffer. */
export class Unpacker {
  readonly #cells: Float64Array
  readonly #bytes: Buffer
  #cell = 0
  #offset = 0

  constructor(packed: PackedBatch, buffer: SharedArrayBuffer) {
    this.#cells = new Float64Array(buffer, 0, packed.bytesOffset / CELL_BYTES)
    this.#bytes = Buffer.from(buffer, packed.bytesOffset)
  }

  #text(cell: number): string {
    const length = (ODD_CELL - cell) / 2
    const text = this.#bytes.toString('utf8', this.#offset, this.#offset + length)
    this.#offset += length
    return text
  }

  /** Fills `values` with one row or key, a value for each of `types`. */
  next(types: readonly ColumnType[], values: Value[]): void {
    for (let i = 0; i < values.length; i++) {
      const cell = this.#cells[this.#cell++] as number
      const type = types[i]
      if (type === 'uint' || type === 'int') values[i] = cell > ODD_CELL ? cell : this.#text(cell)
      else if (cell < 0) values[i] = null
      else {
        values[i] = this.#bytes.subarray(this.#offset, this.#offset + cell)
        this.#offset += cell
      }
    }
  }
}

/**
 * A number column of a key that holds text, as a row from a stranger may: from here down, by twice
 * its length in bytes. No number of a column is as low.
 */
const ODD_CELL = -(2 ** 54)

class Packer {
  readonly taken: ReturnType<BufferPool['take']>
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
        if (type === 'uint' || type === 'int') {
          if (i < keyLength) for (const key of deletes) bytes += oddLength(key[i])
          continue
        }
        const field = fields[i] as string
        for (const row of puts) bytes += byteLength(type, (row as Record<string, Cell>)[field])
        if (i < keyLength) for (const key of deletes) bytes += byteLength(type, key[i])
      }
    }
    this.bytesOffset = cells * CELL_BYTES
    this.taken = pool.take(this.bytesOffset + bytes)
    const { buffer } = this.taken
    this.#cells = new Float64Array(buffer, 0, cells)
    this.#bytes = Buffer.from(buffer, this.bytesOffset)
  }

  key({ name, types, keyLength }: Collection<object>, key: Key): void {
    if (key.length !== keyLength)
      throw new TypeError(`a key of ${name} has ${keyLength} components`)
    // Not checked: a row made by another program may have anything in its key, and must still be
    // deleted by it.
    for (let i = 0; i < keyLength; i++) {
      const type = types[i] as ColumnType
      const cell = key[i]
      const isNumber = type === 'uint' || type === 'int'
      if (isNumber && typeof cell === 'number') this.#cells[this.#cell++] = cell
      else if (isNumber && typeof cell === 'string') this.#putOdd(cell)
      else this.#put(type, cell, name)
    }
  }

  #putOdd(text: string): void {
    const length = this.#bytes.write(text, this.#offset, 'utf8')
    this.#cells[this.#cell++] = ODD_CELL - 2 * length
    this.#offset += length
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

function oddLength(cell: Cell | undefined): number {
  return typeof cell === 'string' ? Buffer.byteLength(cell) : 0
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
