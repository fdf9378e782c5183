// Reads the changes that pack.ts wrote back as rows and keys.

import type { Collection, Key } from '../collections.ts'
import { keyOf } from '../keys.ts'
import { corrupt } from '../store.ts'
import { Cursor } from './cursor.ts'
import { type Layout, layoutOfNumber } from './layout.ts'
import { PUT } from './pack.ts'
import { codecOf, type Slice } from './row-codec.ts'

/** Stands for the value of a row of which only the key is known. */
const NO_VALUE: Slice = { bytes: Buffer.of(1), from: 0, to: 1 }

/** A row to be put, or with `row` undefined the key of one to be deleted. */
interface RowChange {
  readonly collection: Collection<object>
  readonly key: Key
  readonly row: object | undefined
}

interface Packed {
  readonly layout: Layout
  readonly isBody: boolean
  readonly isPut: boolean
  readonly key: Slice
  readonly value: Slice
}

/**
 * The changes of a batch in order, with copies of their bytes. Throws StoreError 'corrupt' where
 * these are not what `packBatch` writes.
 */
export function* unpackBatch(bytes: Buffer): Generator<RowChange> {
  const changes = [...packedIn(bytes)]
  for (let index = 0; index < changes.length; index++) {
    const { layout, isBody, isPut, key, value } = changes[index] as Packed
    // The bytes of a split row follow it, and are read or deleted with it.
    if (isBody) continue
    const { collection } = layout
    const codec = codecOf(collection)
    if (isPut) {
      const body = changes[index + 1]
      const load = () => (body?.isBody === true ? copyOf(body.value) : undefined)
      const row = codec.all.read(key, value, load)
      if (row === undefined) throw corrupt(`a row of ${collection.name} without its bytes`)
      yield { collection, key: keyOf(collection, row as never), row }
    } else {
      const fields = collection.fields.slice(0, collection.keyLength)
      const parts = codec.reader(fields).read(key, NO_VALUE, () => undefined)
      yield { collection, key: keyOf(collection, parts as never), row: undefined }
    }
  }
}

function* packedIn(bytes: Buffer): Generator<Packed> {
  const cursor = new Cursor()
  for (let at = 0; at < bytes.length; ) {
    cursor.over(bytes, at, bytes.length)
    const group = cursor.u8()
    const isPut = cursor.u8() === PUT
    const keyLength = cursor.u32()
    const valueLength = cursor.u32()
    const keyAt = cursor.at
    const valueAt = keyAt + keyLength
    at = valueAt + valueLength
    if (at > bytes.length || keyLength === 0) throw corrupt('a change that is cut off')
    const layout = layoutOfNumber(bytes[keyAt] as number)
    if (layout === undefined) throw corrupt('a change of no collection')
    const isBody = group === layout.bodyGroup
    if (!isBody && group !== layout.group) throw corrupt('a change in the wrong group')
    const key = { bytes, from: keyAt, to: valueAt }
    yield { layout, isBody, isPut, key, value: { bytes, from: valueAt, to: at } }
  }
}

function copyOf({ bytes, from, to }: Slice): Buffer {
  return Buffer.from(bytes.subarray(from, to))
}
