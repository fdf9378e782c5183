// Packs a batch of rows as the changes that an engine takes (format: engine.ts), in a buffer that
// is reused.

import { type Batch, StoreError } from '../store.ts'
import { type Group, VALUE_BYTES_MAX } from './engine.ts'
import { codecOf, type RowCodec } from './row-codec.ts'
import type { Writer } from './writer.ts'

const HEAD_BYTES = 10
export const PUT = 1
const DELETE = 0

/**
 * Writes the changes of a batch. Throws TypeError for a value that does not fit its column, and
 * StoreError 'io' for a key or value longer than the engine takes; base/limits.ts keeps rows below
 * that.
 */
export function packBatch(writer: Writer, batch: Batch, keyBytesMax: number): void {
  for (const { collection, puts, deletes } of batch) {
    const codec = codecOf(collection)
    const { group, bodyGroup } = codec.layout
    for (const key of deletes) {
      if (key.length !== collection.keyLength)
        throw new TypeError(`a key of ${collection.name} has ${collection.keyLength} components`)
      const write = () => codec.writeBound(writer, key)
      packKey(writer, group, DELETE, keyBytesMax, write)
      if (bodyGroup !== undefined) packKey(writer, bodyGroup, DELETE, keyBytesMax, write)
    }
    for (const row of puts) packRow(writer, codec, row, keyBytesMax)
  }
}

/** Writes one entry, already encoded. */
export function packEntry(writer: Writer, group: Group, key: Uint8Array, value: Uint8Array): void {
  const start = packKey(writer, group, PUT, key.byteLength, () => writer.append(key))
  packValue(writer, start, () => writer.append(value))
}

function packRow(writer: Writer, codec: RowCodec, row: object, keyBytesMax: number): void {
  const { group, bodyGroup } = codec.layout
  const writeKey = () => codec.writeKey(writer, row)
  const start = packKey(writer, group, PUT, keyBytesMax, writeKey)
  packValue(writer, start, () => codec.writeValue(writer, row))
  if (bodyGroup === undefined || codec.bodyField === undefined) return
  const body = (row as Record<string, Uint8Array | null>)[codec.bodyField] ?? null
  // Null deletes, because an earlier row may have had bytes.
  const bodyStart = packKey(writer, bodyGroup, body === null ? DELETE : PUT, keyBytesMax, writeKey)
  if (body !== null) packValue(writer, bodyStart, () => writer.append(body))
}

/** Writes a change's header and key; returns where the change begins. */
function packKey(
  writer: Writer,
  group: Group,
  kind: typeof PUT | typeof DELETE,
  keyBytesMax: number,
  write: () => void,
): number {
  const start = writer.length
  writer.room(HEAD_BYTES)
  writer.length += HEAD_BYTES
  write()
  const length = writer.length - start - HEAD_BYTES
  if (length > keyBytesMax)
    throw new StoreError('io', `a key of ${length} bytes; this engine takes ${keyBytesMax}`)
  writer.bytes[start] = group
  writer.bytes[start + 1] = kind
  writer.bytes.writeUInt32LE(length, start + 2)
  writer.bytes.writeUInt32LE(0, start + 6)
  return start
}

function packValue(writer: Writer, start: number, write: () => void): void {
  const from = writer.length
  write()
  const length = writer.length - from
  if (length > VALUE_BYTES_MAX)
    throw new StoreError('io', `a value of ${length} bytes; engines take ${VALUE_BYTES_MAX}`)
  writer.bytes.writeUInt32LE(length, start + 6)
}
