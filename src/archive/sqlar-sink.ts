// Writes records as an SQLite archive (sqlite.org/sqlar.html) for sqlite3 -A: files, directories
// and links with their modes and times in seconds. The format holds no more; the caller reports
// what is left out. Whole files are kept in memory, because a row holds one, and nothing larger
// than SQLite's limit fits.

import { deflateSync } from 'node:zlib'
import Database from 'better-sqlite3'
import { isDirectory, isRegular, isSymlink } from '../base/mode.ts'
import { isFileName } from '../base/names.ts'
import {
  contentOf,
  DATA,
  dataOf,
  END,
  ENTRY,
  type EntryHead,
  endOf,
  FAILED,
  headOf,
  LEAVE,
  LINK,
  leftOf,
  NO_NAME,
  nameOf,
  WHOLE,
} from './records.ts'

/** SQLITE_MAX_LENGTH, less the rest of a row. */
const FILE_BYTES_MAX = 1_000_000_000 - 10_000

const NO_TIME = -1

function bytesOf(path: string): Buffer {
  return Buffer.from(path, 'latin1')
}

const SCHEMA = `CREATE TABLE IF NOT EXISTS sqlar(
  name TEXT PRIMARY KEY, mode INT, mtime INT, sz INT, data BLOB)`

interface SqlarSink {
  take(record: Buffer): void
  /** Makes the archive durable. */
  finish(): void
  /** Closes the file, after success or failure. */
  end(): void
}

/** Creates an archive at `file`; `top` is the path of the tree itself in it, '' for a root. */
export function sqlarSink(
  file: string,
  top: string,
  problem: (path: string, message: string) => void,
): SqlarSink {
  const database = new Database(file)
  database.exec(SCHEMA)
  database.exec('BEGIN')
  const insert = database.prepare('REPLACE INTO sqlar VALUES (CAST(? AS TEXT), ?, ?, ?, ?)')
  const directories = new Map<number, string>()
  const firsts = new Map<string, string>()
  const copy = database.prepare(
    'REPLACE INTO sqlar SELECT CAST(? AS TEXT), mode, mtime, sz, data FROM sqlar WHERE name = CAST(? AS TEXT)',
  )
  let current: { id: number; head: EntryHead; path: string; bytes: Buffer } | undefined

  const put = (head: EntryHead, path: string, bytes: Buffer | null, size: number): void => {
    insert.run(bytesOf(path), head.mode, head.mtime, size, bytes)
  }
  const putFile = (head: EntryHead, path: string, bytes: Buffer): void => {
    const small = deflateSync(bytes)
    put(head, path, small.length < bytes.length ? small : bytes, bytes.length)
  }
  // sqlite3 3.40 itself stores size -1 for links, but then reads that as compressed data, and it
  // sets a link's time on the target, which may be missing: it stops at either. So the size is the
  // target's length, which all versions read, and the time is before 1970, which they skip. The
  // target is text, as sqlite3 stores it, if it is valid UTF-8.
  const putLink = (head: EntryHead, path: string, target: Buffer): void => {
    const text = target.toString()
    const data = Buffer.from(text).equals(target) ? text : target
    insert.run(bytesOf(path), head.mode, NO_TIME, target.length, data)
  }
  const takeEntry = (record: Buffer): void => {
    const head = headOf(record)
    const above = head.parent === 0 ? undefined : directories.get(head.parent)
    const name = head.parent === 0 ? top : nameOf(record)
    // Below a directory that was left out.
    if (head.parent !== 0 && above === undefined) return
    const path = above === undefined || above === '' ? name : `${above}/${name}`
    if (head.parent !== 0 && !isFileName(name)) {
      problem(path, NO_NAME)
      return
    }
    const first = firsts.get(head.key)
    if (isDirectory(head.mode)) {
      directories.set(head.id, path)
      if (path !== '') put(head, path, null, 0)
    } else if ((head.flags & LINK) !== 0 && first !== undefined) {
      copy.run(bytesOf(path), bytesOf(first))
    } else if (isSymlink(head.mode)) {
      putLink(head, path, contentOf(record))
    } else if (!isRegular(head.mode))
      problem(path, 'only files, directories and links fit an sqlar')
    else if ((head.flags & WHOLE) !== 0) putFile(head, path, contentOf(record))
    else if (head.size > FILE_BYTES_MAX) problem(path, 'is too large for an sqlar')
    else current = { id: head.id, head, path, bytes: Buffer.alloc(head.size) }
    if (head.nlink > 1 && !isDirectory(head.mode) && first === undefined) firsts.set(head.key, path)
  }
  return {
    take(record) {
      const kind = record.readUInt8(4)
      if (kind === ENTRY) takeEntry(record)
      else if (kind === DATA) {
        const { id, offset, bytes } = dataOf(record)
        const isWithin = current !== undefined && offset + bytes.length <= current.bytes.length
        if (current?.id === id && isWithin) current.bytes.set(bytes, offset)
      } else if (kind === END) {
        const { id, flags } = endOf(record)
        if (current?.id !== id) return
        if ((flags & FAILED) === 0) putFile(current.head, current.path, current.bytes)
        current = undefined
      } else if (kind === LEAVE) directories.delete(leftOf(record))
    },
    finish: () => void database.exec('COMMIT'),
    end: () => void database.close(),
  }
}
