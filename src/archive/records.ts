// A tree of files as a stream of records: the common format of all imports and exports (folders of
// the host, tar, git, the control socket). native/fuse/record.h has the layout of an ENTRY for the
// addon, which reads and makes the host's files.
//
// Every record begins at a multiple of 8 with u32 length (including padding) and u8 kind; all is
// little-endian, names are bytes.
//
//   ENTRY    a file or directory, 96 bytes and then name, extended attributes, content (see below)
//   DATA     24 bytes: u32 id at 8, f64 offset at 16; then the bytes, whose number is `used` (u32
//            at 12)
//   END      24 bytes: u8 flags at 5, u32 id at 8, f64 size at 16: a file whose ENTRY was not WHOLE
//            is complete (or FAILED)
//   LEAVE    16 bytes: u32 id at 8: no more names follow in this directory
//   PROBLEM  an ENTRY's head with `error` and a name: it could not be read
//   STEP     24 bytes: u32 bytes of JSON at 8, f64 at 16; JSON: a change that is not a file
//            (src/vault/transfer/import-steps.ts)
//
// In an ENTRY: 5 u8 flags, 6 u16 nameLength, 8 u32 parent (a directory's id, 0 for the target
// itself), 12 u32 id (of a directory or of a file that is not WHOLE), 16 u32 mode, 20 uid, 24 gid,
// 28 nlink, 32 rdev (as in FUSE), 36 mtimeNs, 40 f64 size, 48 f64 mtime, 56 f64 atime, 64 u32
// atimeNs, 68 xattrBytes, 72 16 bytes that are the same for all names of one file, 88 u32
// contentBytes, 92 u32 error. An extended attribute is u16 name length, u16 0, u32 value length,
// name, value. The content of a WHOLE record is that of the file, or a link's target. That of a
// SPARSE one, which is not WHOLE, says where its data will lie: pairs of f64 offset and length.

export const ENTRY = 1
export const DATA = 2
export const END = 3
export const LEAVE = 4
const PROBLEM = 5
export const STEP = 6

/** The record contains all of the content. */
export const WHOLE = 1
/** The file changed while it was read. */
export const CHANGED = 2
/** Another name of an earlier file; the record has no content. */
export const LINK = 4
/** Its content could not be read to the end. */
export const FAILED = 8
/** `content` is a map of the data. */
export const SPARSE = 16
/**
 * A directory on the path to others, of which nothing is known: an existing one is left unchanged.
 */
export const IMPLIED = 32

/** As a parent: the name is a path below the target. */
export const BY_PATH = 0xffffffff

export const ENTRY_BYTES = 96
/** The longest name that fits an ENTRY, also of an extended attribute. */
export const RECORD_NAME_BYTES_MAX = 0xffff
/** Message of sinks about an invalid name. */
export const NO_NAME = 'no file can be called that: left out'
const SMALL_BYTES = 24
/** The content of a larger file follows its record, in pieces. */
export const WHOLE_BYTES_MAX = 64 * 1024
export const DATA_BYTES_MAX = 1024 * 1024
/** A stream with a longer record is invalid. */
const RECORD_BYTES_MAX = 64 * 1024 * 1024

/** The fixed fields of an ENTRY; `key` is the same for all names of a file. */
export interface EntryHead {
  readonly flags: number
  readonly parent: number
  readonly id: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly nlink: number
  readonly rdev: number
  readonly size: number
  readonly mtime: number
  readonly mtimeNs: number
  readonly atime: number
  readonly atimeNs: number
  readonly key: string
}

/** A head for entries that the caller makes at a given time, to be overridden as needed. */
export function plainHead(seconds: number): EntryHead {
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  const times = { mtime: seconds, mtimeNs: 0, atime: seconds, atimeNs: 0 }
  const rest = { flags: 0, parent: 0, id: 0, mode: 0, nlink: 1, rdev: 0, size: 0, key: '' }
  return { ...owner, ...times, ...rest }
}

/** An extended attribute; `name` is a byte string. */
export interface Attribute {
  readonly name: string
  readonly value: Uint8Array
}

const EMPTY = Buffer.alloc(0)

function padded(length: number): number {
  return (length + 7) & ~7
}

/** Makes a complete ENTRY. `name` is a byte string, `key` one of at most 16 bytes. */
export function entryRecord(
  head: EntryHead,
  name: string,
  attributes: readonly Attribute[],
  content: readonly Uint8Array[] = [],
): Buffer {
  let xattrBytes = 0
  for (const its of attributes) xattrBytes += 8 + its.name.length + its.value.length
  let contentBytes = 0
  for (const bytes of content) contentBytes += bytes.length
  const record = aligned(padded(ENTRY_BYTES + name.length + xattrBytes + contentBytes))
  record.writeUInt8(ENTRY, 4)
  record.writeUInt8(head.flags, 5)
  record.writeUInt16LE(name.length, 6)
  record.writeUInt32LE(head.parent, 8)
  record.writeUInt32LE(head.id, 12)
  record.writeUInt32LE(head.mode, 16)
  record.writeUInt32LE(head.uid, 20)
  record.writeUInt32LE(head.gid, 24)
  record.writeUInt32LE(head.nlink, 28)
  record.writeUInt32LE(head.rdev, 32)
  record.writeUInt32LE(head.mtimeNs, 36)
  record.writeDoubleLE(head.size, 40)
  record.writeDoubleLE(head.mtime, 48)
  record.writeDoubleLE(head.atime, 56)
  record.writeUInt32LE(head.atimeNs, 64)
  record.writeUInt32LE(xattrBytes, 68)
  record.write(head.key, 72, 16, 'latin1')
  record.writeUInt32LE(contentBytes, 88)
  let at = ENTRY_BYTES + record.write(name, ENTRY_BYTES, 'latin1')
  for (const its of attributes) {
    record.writeUInt16LE(its.name.length, at)
    record.writeUInt32LE(its.value.length, at + 4)
    at += 8 + record.write(its.name, at + 8, 'latin1')
    record.set(its.value, at)
    at += its.value.length
  }
  for (const bytes of content) {
    record.set(bytes, at)
    at += bytes.length
  }
  return record
}

/** Zeroed, with its length set; its memory is aligned to 8 bytes, as the addon requires. */
function aligned(length: number): Buffer {
  const record = Buffer.from(new ArrayBuffer(length))
  record.writeUInt32LE(length, 0)
  return record
}

export function dataRecord(id: number, offset: number, parts: readonly Uint8Array[]): Buffer {
  let used = 0
  for (const bytes of parts) used += bytes.length
  const record = Buffer.allocUnsafe(padded(SMALL_BYTES + used))
  dataHead(record, id, offset, used)
  let at = SMALL_BYTES
  for (const bytes of parts) {
    record.set(bytes, at)
    at += bytes.length
  }
  return record
}

/** Offset of the bytes in a DATA, for callers that read into it directly. */
export const DATA_HEAD_BYTES = SMALL_BYTES

/** Writes the head of a DATA before its `used` bytes; returns the length of the record. */
export function dataHead(record: Buffer, id: number, offset: number, used: number): number {
  const length = padded(SMALL_BYTES + used)
  record.writeUInt32LE(length, 0)
  record.writeUInt32LE(DATA, 4)
  record.writeUInt32LE(id, 8)
  record.writeUInt32LE(used, 12)
  record.writeDoubleLE(offset, 16)
  return length
}

export function endRecord(id: number, size: number, flags: number): Buffer {
  const record = aligned(SMALL_BYTES)
  record.writeUInt8(END, 4)
  record.writeUInt8(flags, 5)
  record.writeUInt32LE(id, 8)
  record.writeDoubleLE(size, 16)
  return record
}

export function leaveRecord(id: number): Buffer {
  const record = aligned(16)
  record.writeUInt8(LEAVE, 4)
  record.writeUInt32LE(id, 8)
  return record
}

/** Makes a STEP of a JSON value and a number. */
export function stepRecord(value: object, number = 0): Buffer {
  const text = Buffer.from(JSON.stringify(value))
  const record = aligned(padded(SMALL_BYTES + text.length))
  record.writeUInt8(STEP, 4)
  record.writeUInt32LE(text.length, 8)
  record.writeDoubleLE(number, 16)
  record.set(text, SMALL_BYTES)
  return record
}

/** The JSON value of a STEP. */
export function stepOf(record: Buffer): unknown {
  const length = record.readUInt32LE(8)
  return JSON.parse(record.toString('utf8', SMALL_BYTES, SMALL_BYTES + length))
}

/** The number of a STEP. */
export function numberOf(record: Buffer): number {
  return record.readDoubleLE(16)
}

export function headOf(record: Buffer): EntryHead {
  return {
    flags: record.readUInt8(5),
    parent: record.readUInt32LE(8),
    id: record.readUInt32LE(12),
    mode: record.readUInt32LE(16),
    uid: record.readUInt32LE(20),
    gid: record.readUInt32LE(24),
    nlink: record.readUInt32LE(28),
    rdev: record.readUInt32LE(32),
    mtimeNs: record.readUInt32LE(36),
    size: record.readDoubleLE(40),
    mtime: record.readDoubleLE(48),
    atime: record.readDoubleLE(56),
    atimeNs: record.readUInt32LE(64),
    key: record.toString('latin1', 72, 88),
  }
}

/** The name in an ENTRY or PROBLEM, a byte string. */
export function nameOf(record: Buffer): string {
  return record.toString('latin1', ENTRY_BYTES, ENTRY_BYTES + record.readUInt16LE(6))
}

/** The extended attributes of an ENTRY; values are views. */
export function attributesOf(record: Buffer): Attribute[] {
  const found: Attribute[] = []
  let at = ENTRY_BYTES + record.readUInt16LE(6)
  const end = at + record.readUInt32LE(68)
  while (at + 8 <= end) {
    const name = at + 8
    const value = name + record.readUInt16LE(at)
    const next = value + record.readUInt32LE(at + 4)
    found.push({
      name: record.toString('latin1', name, value),
      value: record.subarray(value, next),
    })
    at = next
  }
  return found
}

/** The content of an ENTRY; a view. */
export function contentOf(record: Buffer): Buffer {
  const length = record.readUInt32LE(88)
  if (length === 0) return EMPTY
  const at = ENTRY_BYTES + record.readUInt16LE(6) + record.readUInt32LE(68)
  return record.subarray(at, at + length)
}

/** The map of data, which is the content of a SPARSE entry. */
export function mapOf(record: Buffer): [offset: number, length: number][] {
  const content = contentOf(record)
  const found: [number, number][] = []
  for (let at = 0; at + 16 <= content.length; at += 16)
    found.push([content.readDoubleLE(at), content.readDoubleLE(at + 8)])
  return found
}

/** The fields of a DATA. `bytes` is a view. */
export function dataOf(record: Buffer): { id: number; offset: number; bytes: Buffer } {
  const end = SMALL_BYTES + record.readUInt32LE(12)
  return {
    id: record.readUInt32LE(8),
    offset: record.readDoubleLE(16),
    bytes: record.subarray(SMALL_BYTES, end),
  }
}

export function endOf(record: Buffer): { id: number; size: number; flags: number } {
  return {
    id: record.readUInt32LE(8),
    size: record.readDoubleLE(16),
    flags: record.readUInt8(5),
  }
}

/** The directory id of a LEAVE. */
export function leftOf(record: Buffer): number {
  return record.readUInt32LE(8)
}

/**
 * The records of a piece that begins with one; returns the incomplete rest. Throws RangeError for
 * invalid records.
 */
export function* recordsIn(piece: Buffer): Generator<Buffer, Buffer> {
  let at = 0
  while (at + 8 <= piece.length) {
    const length = piece.readUInt32LE(at)
    if (length < 16 || length % 8 !== 0 || length > RECORD_BYTES_MAX)
      throw new RangeError('this is no stream of records')
    if (at + length > piece.length) break
    assertWhole(piece, at, length)
    yield piece.subarray(at, at + length)
    at += length
  }
  return piece.subarray(at)
}

/** The sender is not trusted: lengths inside a record must add up. */
function assertWhole(piece: Buffer, at: number, length: number): void {
  const kind = piece.readUInt8(at + 4)
  let used = length
  if (kind === ENTRY || kind === PROBLEM)
    used =
      length < ENTRY_BYTES
        ? Number.POSITIVE_INFINITY
        : ENTRY_BYTES +
          piece.readUInt16LE(at + 6) +
          piece.readUInt32LE(at + 68) +
          piece.readUInt32LE(at + 88)
  else if (kind === DATA) used = SMALL_BYTES + piece.readUInt32LE(at + 12)
  else if (kind === END) used = SMALL_BYTES
  else if (kind === STEP) used = SMALL_BYTES + piece.readUInt32LE(at + 8)
  if (used > length) throw new RangeError('this is no stream of records')
}
