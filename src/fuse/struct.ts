// C structs as values: field names and types in, sizes and offsets out, by the C compiler's rules
// for x86-64 and arm64. Used by layout.ts; knows no message of the protocol.

type Scalar = 'u16' | 'u32' | 'i32' | 'u64' | 'i64'
type FieldType = Scalar | Struct | readonly [Scalar, number]

export interface Field {
  readonly name: string
  readonly offset: number
  /** A number, a struct within the struct, or padding in an array (not decoded). */
  readonly type: Scalar | Struct | undefined
}

/** A C struct: its size in bytes, the offset of each name, and its fields in order. */
export interface Struct<Name extends string = string> {
  readonly name: string
  readonly size: number
  readonly alignment: number
  readonly offsets: Readonly<Record<Name, number>>
  readonly fields: readonly Field[]
}

const scalarBytes: Record<Scalar, number> = { u16: 2, u32: 4, i32: 4, u64: 8, i64: 8 }

/**
 * Lays fields out in order, each at a multiple of its alignment, the size a multiple of the
 * largest.
 */
export function struct<const F extends Record<string, FieldType>>(
  name: string,
  types: F,
): Struct<keyof F & string> {
  const fields: Field[] = []
  const offsets: Record<string, number> = {}
  let size = 0
  let alignment = 1
  for (const [field, type] of Object.entries<FieldType>(types)) {
    const [unit, bytes] = measure(type)
    const offset = roundUp(size, unit)
    fields.push({ name: field, offset, type: isArray(type) ? undefined : type })
    offsets[field] = offset
    size = offset + bytes
    alignment = Math.max(alignment, unit)
  }
  return {
    name,
    size: roundUp(size, alignment),
    alignment,
    offsets: offsets as Struct['offsets'],
    fields,
  }
}

function measure(type: FieldType): [alignment: number, bytes: number] {
  if (typeof type === 'string') return [scalarBytes[type], scalarBytes[type]]
  if (isArray(type)) return [scalarBytes[type[0]], scalarBytes[type[0]] * type[1]]
  return [type.alignment, type.size]
}

function isArray(type: FieldType): type is readonly [Scalar, number] {
  return Array.isArray(type)
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit
}
