// Encodes rows as keys and values of a key-value engine, with one function per collection that
// writes or reads its columns in order. The functions are compiled from generated text, because
// rows share one shape only if one object literal makes them: a loop over the columns takes several
// times as long. Generated names that are not columns begin with $.
//
//   value   u8 ROW_FORMAT, then each column that is not in the key, in the order of the
//           collection's fields (writer.ts)
//
// The bytes of a split collection (layout.ts) are a flag in the value, and are stored apart.

import { compileFunction } from 'node:vm'
import type { Collection, ColumnType, Key } from '../collections.ts'
import { corrupt } from '../store.ts'
import { Cursor } from './cursor.ts'
import { type Layout, layoutOf } from './layout.ts'
import type { Encoding, Writer } from './writer.ts'

const ROW_FORMAT = 1

/** Bytes [from, to) of a buffer. */
export interface Slice {
  readonly bytes: Buffer
  readonly from: number
  readonly to: number
}

/** Returns the bytes of a row of a split collection by its key; undefined when they are missing. */
export type LoadBody = (key: Slice) => Buffer | undefined

type WriteColumns = (writer: Writer, row: object) => void
type ReadRow = (key: Cursor, value: Cursor, load: () => Buffer | undefined) => object | undefined

/** Encodes and decodes the rows of one collection. */
export class RowCodec {
  readonly layout: Layout
  /** The column whose bytes are stored apart. */
  readonly bodyField: string | undefined
  readonly #writeKey: WriteColumns
  readonly #writeValue: WriteColumns
  readonly #readers = new Map<string, RowReader>()
  readonly all: RowReader

  constructor(layout: Layout) {
    const { collection, bodyGroup } = layout
    this.layout = layout
    const columns = columnsOf(collection)
    this.bodyField =
      bodyGroup === undefined ? undefined : columns.find(({ type }) => type === 'bytes')?.field
    this.#writeKey = compile<WriteColumns>(
      ['$writer', '$row'],
      columns.filter(({ inKey }) => inKey).map(writeKeyPart),
    )
    this.#writeValue = compile<WriteColumns>(
      ['$writer', '$row'],
      columns.filter(({ inKey }) => !inKey).map((column) => writeColumn(column, this.bodyField)),
    )
    this.all = this.reader(collection.fields)
  }

  /** Throws TypeError for a value that does not fit its column. */
  writeKey(writer: Writer, row: object): void {
    writer.u8(this.layout.number)
    this.#writeKey(writer, row)
  }

  writeValue(writer: Writer, row: object): void {
    writer.u8(ROW_FORMAT)
    this.#writeValue(writer, row)
  }

  /** Writes a key, or its first parts; the latter sort before all keys that begin with them. */
  writeBound(writer: Writer, key: Key): void {
    const { number, collection } = this.layout
    const { types, keyLength, name } = collection
    if (key.length > keyLength) throw new TypeError(`a key of ${name} has ${keyLength} components`)
    writer.u8(number)
    for (let i = 0; i < key.length; i++) {
      const type = types[i] as ColumnType
      if (type === 'uint') writer.keyBound(key[i])
      else if (type === 'int') writer.keyInt(key[i])
      else if (i === keyLength - 1) writer.keyLast(key[i], encodingOf(type))
      else writer.keyString(key[i], encodingOf(type))
    }
  }

  /** A reader of the given columns only. */
  reader(fields: readonly string[]): RowReader {
    const id = fields.join()
    const known = this.#readers.get(id)
    if (known !== undefined) return known
    const made = new RowReader(this.layout.collection, fields, this.bodyField)
    this.#readers.set(id, made)
    return made
  }
}

const codecs = new Map<string, RowCodec>()

/** Throws TypeError for a collection that is not in collections.ts. */
export function codecOf(collection: { readonly name: string }): RowCodec {
  const known = codecs.get(collection.name)
  if (known !== undefined) return known
  const made = new RowCodec(layoutOf(collection))
  codecs.set(collection.name, made)
  return made
}

/** Reads some columns of one collection. */
export class RowReader {
  readonly #read: ReadRow
  readonly #key = new Cursor()
  readonly #value = new Cursor()

  constructor(
    collection: Collection<object>,
    fields: readonly string[],
    bodyField: string | undefined,
  ) {
    this.#read = compileReader(columnsOf(collection), fields, bodyField)
  }

  /**
   * The row, with its own copy of bytes; undefined if `load` did not find its bytes. Throws
   * StoreError 'corrupt'. `load` may overwrite the buffer that `value` lies in.
   */
  read(key: Slice, value: Slice, load: LoadBody): object | undefined {
    this.#key.over(key.bytes, key.from + 1, key.to)
    this.#value.over(value.bytes, value.from, value.to)
    if (this.#value.u8() !== ROW_FORMAT) throw corrupt('a row of an unknown format')
    return this.#read(this.#key, this.#value, () => load(key))
  }
}

interface Column {
  readonly field: string
  readonly type: ColumnType
  readonly inKey: boolean
  readonly isLastOfKey: boolean
}

function columnsOf({ fields, types, keyLength }: Collection<object>): Column[] {
  return (fields as readonly string[]).map((field, i) => ({
    field,
    type: types[i] as ColumnType,
    inKey: i < keyLength,
    isLastOfKey: i === keyLength - 1,
  }))
}

function encodingOf(type: ColumnType): Encoding {
  return type === 'text' ? 'utf8' : 'latin1'
}

function compile<F>(parameters: string[], lines: readonly string[]): F {
  return compileFunction(lines.join('\n'), parameters) as unknown as F
}

function writeKeyPart({ field, type, isLastOfKey }: Column): string {
  if (type === 'uint') return `$writer.keyUint($row.${field})`
  if (type === 'int') return `$writer.keyInt($row.${field})`
  return `$writer.${isLastOfKey ? 'keyLast' : 'keyString'}($row.${field}, '${encodingOf(type)}')`
}

function writeColumn({ field, type }: Column, bodyField: string | undefined): string {
  if (type === 'uint') return `$writer.uint($row.${field})`
  if (type === 'int') return `$writer.int($row.${field})`
  if (field === bodyField) return `$writer.blobFlag($row.${field})`
  if (type === 'bytes') return `$writer.blob($row.${field})`
  return `$writer.string($row.${field}, '${encodingOf(type)}')`
}

function readKeyPart({ type, isLastOfKey }: Column): string {
  if (type === 'uint') return '$key.keyUint()'
  if (type === 'int') return '$key.keyInt()'
  return `$key.${isLastOfKey ? 'keyLast' : 'keyString'}('${encodingOf(type)}')`
}

function readColumn({ field, type }: Column, bodyField: string | undefined): string {
  if (type === 'uint') return '$value.uint()'
  if (type === 'int') return '$value.int()'
  if (field === bodyField) return '$value.blobFlag()'
  if (type === 'bytes') return '$value.blob()'
  return `$value.string('${encodingOf(type)}')`
}

function skipColumn({ field, type }: Column, bodyField: string | undefined): string {
  if (type === 'uint') return '$value.skipUint()'
  if (type === 'int') return '$value.skipInt()'
  if (field === bodyField) return '$value.blobFlag()'
  return type === 'bytes' ? '$value.skipBlob()' : '$value.skipString()'
}

/** Compiles a reader of the columns in `fields`; what follows the last of them is not read. */
function compileReader(
  columns: readonly Column[],
  fields: readonly string[],
  bodyField: string | undefined,
): ReadRow {
  const wanted = (column: Column) => fields.includes(column.field)
  const lines: string[] = []
  const inKey = columns.filter((column) => column.inKey)
  const inValue = columns.filter((column) => !column.inKey)
  for (const column of inKey.slice(0, inKey.findLastIndex(wanted) + 1))
    lines.push(`const ${column.field} = ${readKeyPart(column)}`)
  if (inKey.every(wanted)) lines.push('$key.finish()')
  for (const column of inValue.slice(0, inValue.findLastIndex(wanted) + 1)) {
    const read = `const ${column.field} = ${readColumn(column, bodyField)}`
    lines.push(wanted(column) ? read : skipColumn(column, bodyField))
  }
  if (inValue.every(wanted)) lines.push('$value.finish()')
  // Last, because it may overwrite the buffer that the value lies in.
  if (bodyField !== undefined && fields.includes(bodyField)) {
    lines.push(
      `const $body = ${bodyField} ? $load() : null`,
      'if ($body === undefined) return undefined',
    )
    lines.push(`return { ${fields.map((f) => (f === bodyField ? `${f}: $body` : f)).join(', ')} }`)
  } else lines.push(`return { ${fields.join(', ')} }`)
  return compile<ReadRow>(['$key', '$value', '$load'], lines)
}
