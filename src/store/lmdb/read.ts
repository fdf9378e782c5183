// Reads of an LMDB file: of its present state, or as of an open read transaction.

import type { Database, Transaction } from 'lmdb'
import type { KvRange } from '../kv/engine.ts'
import { storeError } from './errors.ts'

/** The part of the binding's Database that is missing in its types. */
export interface Bytes extends Database<Buffer, Uint8Array> {
  getBinaryFast(key: Uint8Array, options?: { transaction: Transaction }): Buffer | undefined
}

const HEAD_BYTES = 8
/** The binding does not accept an empty key, and without a key it would start after this one. */
const FIRST_KEY = Uint8Array.of(0)
/** A larger buffer is not kept for the next range. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024

/** Collects packed entries in one buffer. */
class Packed {
  #bytes = Buffer.allocUnsafeSlow(64 * 1024)
  length = 0
  #keyLength = 0

  key(source: Uint8Array, start: number, end: number): void {
    this.#keyLength = end - start
    this.#room(HEAD_BYTES + this.#keyLength)
    this.#bytes.set(source.subarray(start, end), this.length + HEAD_BYTES)
  }

  value(source: Uint8Array, length: number): void {
    const valueAt = this.length + HEAD_BYTES + this.#keyLength
    this.#room(HEAD_BYTES + this.#keyLength + length)
    this.#bytes.writeUInt32LE(this.#keyLength, this.length)
    this.#bytes.writeUInt32LE(length, this.length + 4)
    this.#bytes.set(source.subarray(0, length), valueAt)
    this.length = valueAt + length
  }

  /** Returns a copy and starts over. */
  take(): Uint8Array {
    const taken = Buffer.from(this.#bytes.subarray(0, this.length))
    this.length = 0
    if (this.#bytes.byteLength > KEPT_BYTES_MAX) this.#bytes = Buffer.allocUnsafeSlow(64 * 1024)
    return taken
  }

  #room(bytes: number): void {
    if (this.length + bytes <= this.#bytes.byteLength) return
    const larger = Buffer.allocUnsafeSlow(Math.max(this.length + bytes, this.#bytes.byteLength * 2))
    // Copies also the bytes that a key has written beyond `length`.
    larger.set(this.#bytes)
    this.#bytes = larger
  }
}

const packed = new Packed()

/**
 * Makes the binding read and write keys and values unchanged. A range goes straight from the
 * binding's buffers to `packed`, since three objects per entry took as long as everything else.
 */
export const asTheyAre = {
  encoder: {
    encode: (value: Uint8Array): Uint8Array => value,
    decode: (source: Uint8Array, length: number): void => packed.value(source, length),
  },
  keyEncoder: {
    writeKey(key: Uint8Array, target: Uint8Array, start: number): number {
      target.set(key, start)
      return start + key.byteLength
    },
    readKey: (source: Uint8Array, start: number, end: number): void =>
      packed.key(source, start, end),
  },
}

/** The value in the binding's own buffer, which the next get overwrites. */
export function getFrom(
  group: Bytes,
  key: Uint8Array,
  transaction?: Transaction,
): Uint8Array | undefined {
  try {
    const found = group.getBinaryFast(key, transaction && { transaction })
    // That buffer's backing store is longer: only `length` is right.
    return found && Buffer.from(found.buffer, found.byteOffset, found.length)
  } catch (error) {
    throw storeError(error)
  }
}

/** Packed entries; see KvReader. */
export function rangeFrom(group: Bytes, range: KvRange, transaction?: Transaction): Uint8Array {
  const { gte, lt, reverse, limit, bytes } = range
  const lowest = gte.byteLength === 0 ? FIRST_KEY : gte
  const wanted = {
    limit,
    reverse,
    // The binding begins at one bound and ends before the other, in both directions.
    ...(reverse
      ? { ...(lt && { start: lt }), end: lowest, exclusiveStart: true, inclusiveEnd: true }
      : { start: lowest, ...(lt && { end: lt }) }),
    ...(transaction && { transaction }),
  }
  try {
    for (const _ of group.getRange(wanted)) if (packed.length >= bytes) break
    return packed.take()
  } catch (error) {
    packed.take()
    throw storeError(error)
  }
}
