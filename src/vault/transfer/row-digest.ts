// A digest of a collection that depends on neither order nor engine: the sum, modulo 2^256, of the
// SHA-256 of each row in a canonical form. Of a block only hash and size count, since its bytes may
// be compressed differently; unpackBlock verifies them. A field, little-endian, is a u8 type, then
//
//   0   null           nothing
//   1   number         f64
//   2   name, digest   u32 length, bytes
//   3   text           u32 length, bytes in UTF-8
//   4   bytes          u32 length, bytes

import { hash } from 'node:crypto'
import { block, type Collection, type ColumnType } from '../../store/collections.ts'
import { StoreError } from '../../store/store.ts'

const HEAD_BYTES = 9
const WORDS = 8

/**
 * Of some rows of one collection: their number, their length in canonical form with all their
 * bytes, and their digest.
 */
export class RowDigest {
  rows = 0
  bytes = 0
  readonly #collection: Collection<object>
  readonly #sum = new Uint32Array(WORDS)

  constructor(collection: Collection<object>) {
    this.#collection = collection
  }

  /**
   * Adds a row. Throws StoreError 'corrupt', and adds nothing, when a value does not fit its
   * column.
   */
  add(row: object): void {
    const { digest, length } = this.#digestOf(row)
    this.#sumUp((word) => digest.readUInt32LE(word * 4))
    this.rows++
    this.bytes += length
  }

  /** Subtracts a row that was added. */
  remove(row: object): void {
    const { digest, length } = this.#digestOf(row)
    // -x equals ~x + 1.
    this.#sumUp((word) => ~digest.readUInt32LE(word * 4) >>> 0, 1)
    this.rows--
    this.bytes -= length
  }

  /** Adds the rows of another digest of the same collection. */
  addAll(other: RowDigest): void {
    this.#sumUp((word) => other.#sum[word] as number)
    this.rows += other.rows
    this.bytes += other.bytes
  }

  #digestOf(row: object): { digest: Buffer; length: number } {
    const length = encode(this.#collection, row)
    const digest = hash('sha256', scratch.subarray(0, length), 'buffer')
    return { digest, length: isBlock(this.#collection) ? length + dataLength(row) : length }
  }

  #sumUp(wordOf: (word: number) => number, first = 0): void {
    let carry = first
    for (let word = 0; word < WORDS; word++) {
      const sum = (this.#sum[word] as number) + wordOf(word) + carry
      this.#sum[word] = sum
      carry = sum > 0xffffffff ? 1 : 0
    }
  }

  /** 64 hexadecimal digits. */
  get digest(): string {
    const words = [...this.#sum].reverse()
    return words.map((word) => word.toString(16).padStart(8, '0')).join('')
  }
}

function isBlock(collection: Collection<object>): boolean {
  return collection.name === block.name
}

function dataLength(row: object): number {
  const { data } = row as { data?: Uint8Array | null }
  return data?.length ?? 0
}

/** Grows to the longest row; rows are encoded one at a time. */
let scratch = Buffer.alloc(4096)

function encode(collection: Collection<object>, row: object): number {
  const { fields, types } = collection
  let at = 0
  for (let i = 0; i < fields.length; i++) {
    const field: string = fields[i] ?? ''
    if (isBlock(collection) && field !== 'hash' && field !== 'size') continue
    at = encodeValue(types[i] as ColumnType, (row as Record<string, unknown>)[field], at)
    if (at < 0)
      throw new StoreError('corrupt', `${collection.name}: ${field} holds what it cannot hold`)
  }
  return at
}

/** Returns where the next value begins, or -1 for a value of the wrong type. */
function encodeValue(type: ColumnType, value: unknown, at: number): number {
  if (type === 'uint' || type === 'int') {
    if (!Number.isSafeInteger(value) || (type === 'uint' && (value as number) < 0)) return -1
    room(at, HEAD_BYTES)
    scratch[at] = 1
    return scratch.writeDoubleLE(value as number, at + 1)
  }
  if (type === 'bytes') {
    if (value === null) {
      room(at, HEAD_BYTES)
      scratch[at] = 0
      return at + 1
    }
    if (!(value instanceof Uint8Array)) return -1
    const start = head(4, value.length, at)
    scratch.set(value, start)
    return start + value.length
  }
  if (typeof value !== 'string') return -1
  const encoding = type === 'text' ? 'utf8' : 'latin1'
  const length = Buffer.byteLength(value, encoding)
  const start = head(type === 'text' ? 3 : 2, length, at)
  scratch.write(value, start, encoding)
  return start + length
}

function head(type: number, length: number, at: number): number {
  room(at, HEAD_BYTES + length)
  scratch[at] = type
  return scratch.writeUInt32LE(length, at + 1)
}

function room(at: number, length: number): void {
  if (at + length <= scratch.length) return
  const larger = Buffer.alloc(Math.max(scratch.length * 2, at + length))
  scratch.copy(larger)
  scratch = larger
}
