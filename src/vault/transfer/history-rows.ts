// Rows of a vault as lines of JSON, for an export with history: {"inode_past":{"ino":2,...}}. Names
// are byte strings (one character a byte), digests are hexadecimal, bytes base64. Knows the schema,
// not the meaning of rows.

import { type Collection, collections, type SettingRow, setting } from '../../store/collections.ts'
import { LOG_SETTING } from '../../store/intent-log/intent-log.ts'
import { isOfLineage } from '../core/lineage.ts'
import { BACKUP_SETTING } from './sync-have.ts'

/** The name of the directory in the exported tree that holds the history. */
export const HISTORY_NAME = '.avfs-history'
/** Version of the layout; docs/export.md describes it. */
export const HISTORY_FORMAT = 1

/** The content of manifest.json. */
export interface Manifest {
  readonly format: number
  readonly rowFormat: number
  /** The newest moment, microseconds since 1970. */
  readonly moment: number
  readonly blocks: number
  /**
   * By collection: the number of rows, and the SHA-256 in hexadecimal of their lines in key order,
   * each with its line feed.
   */
  readonly rows: Readonly<Record<string, { readonly count: number; readonly sha256: string }>>
}

/** Settings that identify a vault, and are not part of its history. */
export function isOwnSetting({ name }: SettingRow): boolean {
  return name === 'id' || name === BACKUP_SETTING || name === LOG_SETTING || isOfLineage(name)
}

/** True for a row that is not exported. */
export function isOwn(collection: Collection<object>, row: object): boolean {
  return (collection as unknown) === setting && isOwnSetting(row as SettingRow)
}

type Cell = number | string | Uint8Array | null | undefined

const byName = new Map(collections.map((its) => [its.name, its]))

/** A row as a line, without its line feed. */
export function lineOf({ name, fields, types }: Collection<object>, row: object): string {
  const values = row as Record<string, Cell>
  const cells = (fields as readonly string[]).map((field, at) => {
    const cell = values[field]
    const isBinary = typeof cell === 'string' && types[at] === 'digest'
    if (isBinary) return [field, Buffer.from(cell, 'latin1').toString('hex')]
    return [field, cell instanceof Uint8Array ? Buffer.from(cell).toString('base64') : cell]
  })
  return JSON.stringify({ [name]: Object.fromEntries(cells) })
}

/** The row in a line. Throws RangeError for an invalid line. */
export function rowOf(line: string): { collection: Collection<object>; row: object } {
  const [name, values] = Object.entries(parsed(line))[0] ?? ['', undefined]
  const collection = byName.get(name)
  if (collection === undefined || typeof values !== 'object' || values === null) throw notARow()
  const given = values as Record<string, unknown>
  const cells = (collection.fields as readonly string[]).map((field, at): [string, Cell] => {
    const cell = given[field]
    const type = collection.types[at]
    if (type === 'uint' || type === 'int') {
      const isFit = Number.isSafeInteger(cell) && (type === 'int' || Number(cell) >= 0)
      if (!isFit) throw notARow()
      return [field, cell as number]
    }
    if (type === 'bytes' && cell === null) return [field, null]
    if (typeof cell !== 'string') throw notARow()
    if (type === 'bytes') return [field, new Uint8Array(Buffer.from(cell, 'base64'))]
    return [field, type === 'digest' ? Buffer.from(cell, 'hex').toString('latin1') : cell]
  })
  return { collection, row: Object.fromEntries(cells) }
}

function parsed(line: string): object {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // Reported below.
  }
  throw notARow()
}

function notARow(): RangeError {
  return new RangeError('the history holds a line that is no row of a vault')
}
