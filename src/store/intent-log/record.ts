// A record of the intent log: one batch of rows, with what tells whether it is whole. Knows nothing
// of files.
//
//   magic     8 bytes, 'avfslog1'; the last one is the format
//   session   8 bytes, drawn at random whenever a vault is opened for writing
//   sequence  f64, the number of the batch in its session, from 1
//   length    u32, of the changes
//   checksum  u32, CRC-32 of all that is above it, then of the changes
//   changes   as kv/engine.ts packs them
//
// Numbers are little-endian. A record begins at a multiple of BLOCK_BYTES, so that no two records
// share a block of the disk: writing one cannot damage another, however it is torn.

import { crc32 } from 'node:zlib'

export const BLOCK_BYTES = 4096
export const HEAD_BYTES = 32
export const SESSION_BYTES = 8
const MAGIC = Buffer.from('avfslog1')
const SESSION_AT = 8
const SEQUENCE_AT = 16
const LENGTH_AT = 24
const CHECKSUM_AT = 28

/** `bytes` rounded up to whole blocks. */
export function blocksOf(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES
}

/** Fills in the head of a record whose changes lie behind its first HEAD_BYTES. */
export function sealRecord(record: Buffer, session: Buffer, sequence: number): void {
  record.set(MAGIC, 0)
  record.set(session, SESSION_AT)
  record.writeDoubleLE(sequence, SEQUENCE_AT)
  record.writeUInt32LE(record.length - HEAD_BYTES, LENGTH_AT)
  record.writeUInt32LE(checksumOf(record), CHECKSUM_AT)
}

/** The changes of the whole records of a session in a log, by their sequence. */
export function readRecords(log: Buffer, session: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>()
  for (let at = 0; at + HEAD_BYTES <= log.length; ) {
    const record = recordAt(log, at)
    // What lies within a record is the bytes of files, which may look like anything.
    at += record === undefined ? BLOCK_BYTES : blocksOf(record.length)
    if (record === undefined || !session.equals(sessionOf(record))) continue
    found.set(record.readDoubleLE(SEQUENCE_AT), record.subarray(HEAD_BYTES))
  }
  return found
}

/** Whether a log holds a whole record of any session. */
export function hasRecords(log: Buffer): boolean {
  for (let at = 0; at + HEAD_BYTES <= log.length; at += BLOCK_BYTES)
    if (recordAt(log, at) !== undefined) return true
  return false
}

function sessionOf(record: Buffer): Buffer {
  return record.subarray(SESSION_AT, SESSION_AT + SESSION_BYTES)
}

/** The record at an offset, undefined where none is whole. */
function recordAt(log: Buffer, at: number): Buffer | undefined {
  if (MAGIC.compare(log, at, at + MAGIC.length) !== 0) return undefined
  const end = at + HEAD_BYTES + log.readUInt32LE(at + LENGTH_AT)
  if (end > log.length) return undefined
  const record = log.subarray(at, end)
  return record.readUInt32LE(CHECKSUM_AT) === checksumOf(record) ? record : undefined
}

function checksumOf(record: Buffer): number {
  return crc32(record.subarray(HEAD_BYTES), crc32(record.subarray(0, CHECKSUM_AT)))
}
