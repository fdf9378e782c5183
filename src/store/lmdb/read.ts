// Reads of an LMDB file: now, or as of a read transaction that is held.

import type { Database, Transaction } from 'lmdb'
import type { KvRange } from '../kv/engine.ts'
import { storeError } from './errors.ts'

/** The part of the binding's Database that its types leave out. */
export interface Bytes extends Database<Buffer, Uint8Array> {
  getBinaryFast(key: Uint8Array, options?: { transaction: Transaction }): Buffer | undefined
}

const HEAD_BYTES = 8

/** The value in the binding's own buffer: it is overwritten by the next get. */
export function getFrom(
  group: Bytes,
  key: Uint8Array,
  transaction?: Transaction,
): Uint8Array | undefined {
  try {
    const found = group.getBinaryFast(key, transaction && { transaction })
    // That buffer is longer than it says: only its `length` is right.
    return found && Buffer.from(found.buffer, found.byteOffset, found.length)
  } catch (error) {
    throw storeError(error)
  }
}

/** Packed entries; see KvReader. */
export function rangeFrom(group: Bytes, range: KvRange, transaction?: Transaction): Uint8Array {
  const { gte, lt, reverse, limit, bytes } = range
  const start = reverse ? lt : gte
  const end = reverse ? gte : lt
  const wanted = {
    limit,
    reverse,
    // The binding begins and ends at a bound when it is not told otherwise, and takes no empty one.
    ...(start === undefined || start.byteLength === 0 ? {} : { start }),
    ...(end === undefined || end.byteLength === 0 ? {} : { end }),
    ...(reverse ? { exclusiveStart: true, inclusiveEnd: true } : {}),
    ...(transaction === undefined ? {} : { transaction }),
  }
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for (const { key, value } of group.getRange(wanted)) {
      const head = Buffer.allocUnsafe(HEAD_BYTES)
      head.writeUInt32LE(key.byteLength, 0)
      head.writeUInt32LE(value.byteLength, 4)
      parts.push(head, key, value)
      length += HEAD_BYTES + key.byteLength + value.byteLength
      if (length >= bytes) break
    }
  } catch (error) {
    throw storeError(error)
  }
  return Buffer.concat(parts, length)
}
