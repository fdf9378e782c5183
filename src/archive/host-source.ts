// Reads a file or folder of the host as records. The addon reads directories in the thread pool, a
// few at a time, so that the next ones are read while records are processed. Nothing is changed,
// not even an atime where that can be avoided.

import { close, constants, fstat, open, read } from 'node:fs'
import { getSystemErrorMessage, promisify } from 'node:util'
import { ENAMETOOLONG, ENXIO, errnoName } from '../base/errno.ts'
import { PATH_BYTES_MAX } from '../base/limits.ts'
import { S_IFDIR, S_IFMT, S_IFREG } from '../base/mode.ts'
import { addon } from '../base/native.ts'
import {
  CHANGED,
  DATA_BYTES_MAX,
  DATA_HEAD_BYTES,
  dataHead,
  ENTRY,
  ENTRY_BYTES,
  endRecord,
  FAILED,
  LINK,
  leaveRecord,
  nameOf,
  recordsIn,
  WHOLE,
  WHOLE_BYTES_MAX,
} from './records.ts'

/** Takes pieces of a stream in order; a piece may be reused once the promise resolves. */
export type Sink = (piece: Buffer) => Promise<void> | void

export interface SourceOptions {
  /** Called for what could not be read, or changed while it was; `path` is a byte string. */
  problem(path: string, message: string): void
  /** Called with numbers of names and bytes as they are read. */
  read(names: number, bytes: number): void
  /**
   * Files that must not be opened: names that begin with `prefix` in the directory with this key
   * (as in a record). Opening and closing a vault's own file would release its engine's locks.
   */
  readonly guarded?: { readonly key: string; readonly prefix: string } | undefined
}

const READERS = 3
const BATCH_BYTES = 1024 * 1024
const NODE_BYTES = 256 * 1024

interface Directory {
  readonly path: string
  readonly id: number
  readonly key: string
}

interface LargeFile {
  readonly path: string
  readonly id: number
}

interface Run {
  readonly sink: Sink
  readonly options: SourceOptions
  /** Directories to be read, the next one last. */
  readonly waiting: Directory[]
  /** Keys of files with several names that have already come. */
  readonly linked: Set<string>
  lastId: number
}

const openFile = promisify(open)
const readFile = promisify(read)
const closeFile = promisify(close)
const statFile = promisify(fstat) as (
  fd: number,
  options: { bigint: true },
) => Promise<{ size: bigint; mtimeNs: bigint }>

function bytesOf(path: string): Buffer {
  return Buffer.from(path, 'latin1')
}

/** The record, without a name, of a path itself, or an errno. */
export function nodeAt(path: string): Buffer | number {
  if (path.length > PATH_BYTES_MAX) return ENAMETOOLONG
  const into = new ArrayBuffer(NODE_BYTES)
  const length = addon().readNode(bytesOf(path), into)
  return length < 0 ? -length : Buffer.from(into, 0, length)
}

/**
 * Sends what is at `path`, a byte string: an ENTRY of parent 0 without a name, then everything
 * below it. Rejects with ENOENT and the like if `path` itself cannot be read; other errors are
 * passed to `problem`.
 */
export async function readHost(path: string, sink: Sink, options: SourceOptions): Promise<void> {
  const node = nodeAt(path)
  if (typeof node === 'number') {
    const message = `${textOf(path)}: ${getSystemErrorMessage(-node)}`
    throw Object.assign(new Error(message), { code: errnoName(node), path: textOf(path) })
  }
  const run: Run = { sink, options, waiting: [], linked: new Set(), lastId: 0 }
  const directory = path === '/' ? '' : path
  const large = take(run, node, { path: directory, id: 0, key: '' })
  await sink(node)
  for (const file of large) await sendFile(run, { ...file, path })
  await drain(run)
}

function textOf(path: string): string {
  return bytesOf(path).toString('utf8')
}

/** Runs several readers until no directory waits or is being read. */
async function drain(run: Run): Promise<void> {
  const active = new Set<Promise<void>>()
  for (;;) {
    while (active.size < READERS) {
      const next = run.waiting.pop()
      if (next === undefined) break
      const work: Promise<void> = sendDirectory(run, next).finally(() => active.delete(work))
      // When one fails the others are abandoned too; the caller gets the first error.
      work.catch(() => undefined)
      active.add(work)
    }
    if (active.size === 0) return
    await Promise.race(active)
  }
}

async function sendDirectory(run: Run, directory: Directory): Promise<void> {
  if (directory.path.length > PATH_BYTES_MAX) {
    run.options.problem(directory.path, errnoName(ENAMETOOLONG))
    return await run.sink(leaveRecord(directory.id))
  }
  const { readDirectory, directoryReader } = addon()
  const { guarded } = run.options
  const inlineMax = guarded?.key === directory.key ? 0 : WHOLE_BYTES_MAX
  const reader = directoryReader(bytesOf(directory.path === '' ? '/' : directory.path))
  let [into, next] = [takeBatch(), takeBatch()]
  let reading = readDirectory(reader, into, inlineMax)
  for (;;) {
    const length = await reading
    if (length <= 0) {
      if (length < 0) run.options.problem(directory.path, errnoName(-length))
      break
    }
    // The next names are read while these are processed.
    reading = readDirectory(reader, next, inlineMax)
    const piece = Buffer.from(into, 0, length)
    const large = take(run, piece, directory)
    await run.sink(piece)
    for (const file of large) await sendFile(run, file)
    ;[into, next] = [next, into]
  }
  await run.sink(leaveRecord(directory.id))
  batches.push(into, next)
}

const batches: ArrayBuffer[] = []

function takeBatch(): ArrayBuffer {
  return batches.pop() ?? new ArrayBuffer(BATCH_BYTES)
}

/**
 * Gives the records of a batch their parent and ids, queues directories and returns the large files
 * to send next.
 */
function take(run: Run, piece: Buffer, directory: Directory): LargeFile[] {
  const { options } = run
  const large: LargeFile[] = []
  let names = 0
  let bytes = 0
  for (const record of recordsIn(piece)) {
    record.writeUInt32LE(directory.id, 8)
    names++
    const path = (): string => {
      const name = nameOf(record)
      return name === '' ? directory.path : `${directory.path}/${name}`
    }
    if (record.readUInt8(4) !== ENTRY) {
      options.problem(path(), errnoName(record.readUInt32LE(92)))
      continue
    }
    if (isGuarded(run, directory, record)) {
      record.writeUInt8(0, 4)
      continue
    }
    const flags = record.readUInt8(5)
    const type = record.readUInt32LE(16) & S_IFMT
    bytes += record.readUInt32LE(88)
    if ((flags & CHANGED) !== 0) options.problem(path(), CHANGED_TEXT)
    if (type === S_IFDIR) {
      const id = ++run.lastId
      record.writeUInt32LE(id, 12)
      run.waiting.push({ path: path(), id, key: keyOf(record) })
    } else if (record.readUInt32LE(28) > 1 && isKnown(run, record)) {
      record.writeUInt8(flags | LINK, 5)
    } else if (type === S_IFREG && (flags & WHOLE) === 0) {
      const id = ++run.lastId
      record.writeUInt32LE(id, 12)
      large.push({ path: path(), id })
    }
  }
  options.read(names, bytes)
  return large
}

const CHANGED_TEXT = 'changed while it was read'

function keyOf(record: Buffer): string {
  return record.toString('latin1', 72, 88)
}

function isGuarded(run: Run, directory: Directory, record: Buffer): boolean {
  const { guarded } = run.options
  if (guarded?.key !== directory.key) return false
  const prefix = record.toString('latin1', ENTRY_BYTES, ENTRY_BYTES + guarded.prefix.length)
  return prefix === guarded.prefix
}

/** True if another name of the file came before; otherwise remembers this one as the first. */
function isKnown(run: Run, record: Buffer): boolean {
  const key = keyOf(record)
  if (run.linked.has(key)) return true
  run.linked.add(key)
  return false
}

async function sendFile(run: Run, { path, id }: LargeFile): Promise<void> {
  const { options, sink } = run
  let size = 0
  let flags = 0
  try {
    const how = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
    const fd = await openFile(bytesOf(path), how)
    try {
      const before = await statFile(fd, { bigint: true })
      size = await sendContent(run, fd, id, Number(before.size))
      const after = await statFile(fd, { bigint: true })
      const isSame = after.size === before.size && after.mtimeNs === before.mtimeNs
      if (!isSame || size !== Number(before.size)) flags = CHANGED
    } finally {
      await closeFile(fd)
    }
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error
    flags = FAILED
    options.problem(path, 'code' in error ? String(error.code) : error.message)
  }
  if (flags === CHANGED) options.problem(path, CHANGED_TEXT)
  await sink(endRecord(id, size, flags))
}

/** Sends a file's data without its holes. Returns the size of the file as it was read. */
async function sendContent(run: Run, fd: number, id: number, size: number): Promise<number> {
  const seek = addon().seek
  for (let at = 0; at < size; ) {
    const found = seek(fd, at, 0)
    if (found === -ENXIO) return size
    // A file system without holes has data everywhere.
    const from = found < 0 ? at : found
    const hole = found < 0 ? size : seek(fd, from, 1)
    const to = Math.min(size, hole < 0 ? size : hole)
    const end = await sendRange(run, fd, id, from, to)
    if (end < to) return end
    at = to
  }
  return size
}

/** Sends the bytes of [from, to), reading ahead. Returns where the file ended. */
async function sendRange(
  run: Run,
  fd: number,
  id: number,
  from: number,
  to: number,
): Promise<number> {
  let [into, next] = [takeData(), takeData()]
  const fetch = async (into: Buffer, at: number): Promise<number> => {
    const length = Math.min(DATA_BYTES_MAX, to - at)
    if (length <= 0) return 0
    return (await readFile(fd, into, DATA_HEAD_BYTES, length, at)).bytesRead
  }
  let reading = fetch(into, from)
  let at = from
  for (;;) {
    const count = await reading
    if (count === 0) break
    reading = fetch(next, at + count)
    // A failure is reported when this is awaited.
    reading.catch(() => undefined)
    await run.sink(into.subarray(0, dataHead(into, id, at, count)))
    run.options.read(0, count)
    at += count
    ;[into, next] = [next, into]
  }
  datas.push(into, next)
  return at
}

const datas: Buffer[] = []

function takeData(): Buffer {
  return datas.pop() ?? Buffer.from(new ArrayBuffer(DATA_HEAD_BYTES + DATA_BYTES_MAX + 8))
}
