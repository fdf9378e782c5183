// The values that columns of collections.ts may have, beyond what their types say. A vault may come
// from anybody: a value that avfs never writes (an impossible name, file type or number) must not
// reach the layers above. Consistency between rows is left to vault check. There is one compiled
// function for each collection and set of columns, as in kv/row-codec.ts, because every row that is
// read passes it.

import { compileFunction } from 'node:vm'
import {
  COUNT_MAX,
  HOLD_BYTES_MAX,
  MOMENT_MAX,
  NAME_BYTES_MAX,
  SYMLINK_BYTES_MAX,
  TAG_BYTES_MAX,
  XATTR_NAME_BYTES_MAX,
  XATTR_VALUE_BYTES_MAX,
} from '../base/limits.ts'
import { isKnownType } from '../base/mode.ts'
import { isFileName } from '../base/names.ts'
import { type Collection, type ColumnType, PROVISIONAL } from './collections.ts'

/** Returns the name of the first column whose value is outside its domain, or undefined. */
export type Unfit = (row: object) => string | undefined

/** Inode numbers above this belong to views. */
const INO_MAX = 2 ** 52 - 1
const UINT32_MAX = 2 ** 32 - 1
const MODE_MAX = 0xffff
const MODE_SHIFT = 12
const FATES = 4
const ORIGINS = 3
export const HASH_BYTES = 32

/** A condition on `v`, in JavaScript; the functions that it calls are in `scope`. */
type Domain = string

const types: Readonly<Record<ColumnType, Domain>> = {
  uint: 'Number.isSafeInteger(v) && v >= 0',
  int: 'Number.isSafeInteger(v)',
  name: "typeof v === 'string'",
  digest: "typeof v === 'string'",
  text: "typeof v === 'string'",
  bytes: 'v === null || v instanceof Uint8Array',
}

const ino = `v >= 1 && v <= ${INO_MAX}`
const directory = `v <= ${INO_MAX}`
const uint32 = `v <= ${UINT32_MAX}`
const nanoseconds = 'v < 1e9'
const count = `v <= ${COUNT_MAX}`
const moment = `v <= ${MOMENT_MAX} || v === ${PROVISIONAL}`
const fileName = 'isFileName(v)'
const maybeName = "v === '' || isFileName(v)"
const label = 'isLabel(v)'
const tag = 'isTag(v)'

/** By column, for columns that mean the same in every collection. */
const ofColumns: Readonly<Record<string, Domain>> = {
  ino,
  parent: directory,
  fromParent: directory,
  fromName: maybeName,
  mode: 'isMode(v)',
  nlink: uint32,
  uid: uint32,
  gid: uint32,
  rdev: uint32,
  pid: uint32,
  xattrs: count,
  tags: count,
  versions: count,
  version: count,
  number: count,
  replaced: count,
  begins: count,
  actor: count,
  endedBy: count,
  atimeNs: nanoseconds,
  mtimeNs: nanoseconds,
  ctimeNs: nanoseconds,
  btimeNs: nanoseconds,
  type: `isMode(v << ${MODE_SHIFT})`,
  origin: `v <= ${ORIGINS}`,
  fate: `v <= ${FATES}`,
  since: moment,
  until: moment,
  moment,
  hash: `v === '' || v.length === ${HASH_BYTES}`,
  tag,
}

/** By collection and column, for the others. */
const ofOne: Readonly<Record<string, Domain>> = {
  'inode.name': maybeName,
  'inode_past.name': maybeName,
  'entry.name': fileName,
  'entry.parent': ino,
  'entry_past.name': fileName,
  'entry_past.parent': ino,
  'hardlink.name': fileName,
  'numbering.name': fileName,
  'xattr.name': `isBytes(v, ${XATTR_NAME_BYTES_MAX})`,
  'xattr.value': `v === null || v.length <= ${XATTR_VALUE_BYTES_MAX}`,
  'xattr_past.name': `isBytes(v, ${XATTR_NAME_BYTES_MAX})`,
  'xattr_past.value': `v === null || v.length <= ${XATTR_VALUE_BYTES_MAX}`,
  'actor.id': count,
  'actor.command': `v === '' || isBytes(v, ${NAME_BYTES_MAX})`,
  'hold.name': `isBytes(v, ${HOLD_BYTES_MAX})`,
  'snapshot.name': label,
  'tag.name': tag,
  'block.hash': `v.length === ${HASH_BYTES}`,
}

/** A byte string without NUL, not empty. */
function isBytes(value: string, bytesMax: number): boolean {
  return value !== '' && value.length <= bytesMax && !value.includes('\0')
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const controls = /[\x00-\x1f\x7f-\x9f]/

function isLabel(value: string): boolean {
  const isName = value !== '' && value !== '.' && value !== '..' && !value.includes('/')
  return isName && Buffer.byteLength(value) <= NAME_BYTES_MAX && !controls.test(value)
}

function isTag(value: string): boolean {
  const isShort = value !== '' && Buffer.byteLength(value) <= TAG_BYTES_MAX
  return isShort && !value.includes(',') && !controls.test(value)
}

function isMode(value: number): boolean {
  return value <= MODE_MAX && isKnownType(value)
}

/**
 * Symlink targets are read into memory whole, so their length is bounded as symlink(2) bounds it.
 */
function isTarget(mode: number, size: number): boolean {
  return mode >>> MODE_SHIFT !== 10 || size <= SYMLINK_BYTES_MAX
}

const scope = { isBytes, isFileName, isLabel, isTag, isMode, isTarget }

/** The function that finds a column of these whose value is outside its domain. */
export function unfitOf(
  collection: Collection<never> | Collection<object>,
  fields: readonly string[],
): Unfit {
  const all: readonly string[] = collection.fields
  const lines = fields.flatMap((field) => {
    const type = collection.types[all.indexOf(field)] as ColumnType
    const domain = ofOne[`${collection.name}.${field}`] ?? ofColumns[field]
    const condition = [types[type], domain].filter((its) => its !== undefined)
    return [
      `v = row.${field}`,
      `if (!(${condition.map((its) => `(${its})`).join(' && ')})) return '${field}'`,
    ]
  })
  if (fields.includes('mode') && fields.includes('size'))
    lines.push("if (!isTarget(row.mode, row.size)) return 'size'")
  const names = Object.keys(scope)
  const text = ['let v', ...lines, 'return undefined'].join('\n')
  const made = compileFunction(text, ['row', ...names]) as (...given: unknown[]) => string
  const values = Object.values(scope)
  return (row) => made(row, ...values)
}
