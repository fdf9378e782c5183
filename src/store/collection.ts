// What a collection is: a kind of row with typed columns, the first of which are its key. All
// collections are declared in collections.ts. A row is a plain object. Knows nothing of what rows
// mean.
//
//   type    in memory                          in SQLite   order
//   uint    number, 0 .. 2^53 - 1              INTEGER     numeric
//   int     number, -2^53 + 1 .. 2^53 - 1      INTEGER     numeric
//   name    byte string (a char a byte), no NUL TEXT       bytewise
//   digest  byte string, any bytes, '' if none BLOB        bytewise
//   text    string                             TEXT        bytewise over its UTF-8
//   bytes   Uint8Array or null                 BLOB        never in a key

export type ColumnType = 'uint' | 'int' | 'name' | 'digest' | 'text' | 'bytes'

/** One component of a key, as it is in memory. */
export type KeyPart = number | string

/** A key, or the first components of one. */
export type Key = readonly KeyPart[]

/**
 * `name` is unique and fit for SQL; `fields` are the columns in stored order, the first `keyLength`
 * of them the key.
 */
export interface Collection<R extends object> {
  readonly name: string
  readonly fields: readonly (keyof R & string)[]
  readonly types: readonly ColumnType[]
  readonly keyLength: number
}

/** Declares a collection; the first `keyLength` of its columns are the key. */
export function collection<R extends object>(
  name: string,
  keyLength: number,
  columns: { readonly [F in keyof R & string]: ColumnType },
): Collection<R> {
  const fields = Object.keys(columns) as (keyof R & string)[]
  return { name, fields, types: fields.map((field) => columns[field]), keyLength }
}
