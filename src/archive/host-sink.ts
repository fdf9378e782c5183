// Writes records as files of the host below a path. An existing tree is merged: directories are
// filled, anything else is replaced (unlinked first, as tar does), and a directory never replaces a
// file or the other way round. Links are not followed. Attributes that the user may not set are
// counted and nodes that could not be made are reported; the rest continues.

import {
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { ENAMETOOLONG, errnoName } from '../base/errno.ts'
import { PATH_BYTES_MAX } from '../base/limits.ts'
import { isDirectory } from '../base/mode.ts'
import { isFileName } from '../base/names.ts'
import { addon } from '../base/native.ts'
import {
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
} from './records.ts'

/** How often the user was not permitted to set something. */
export interface Refused {
  owners: number
  attributes: number
  modes: number
  times: number
}

interface HostSink {
  readonly refused: Refused
  /** Takes one record. Throws the system's error when the disk is full. */
  take(record: Buffer): void
  /** Closes and removes unfinished files, after success or failure. */
  end(): void
}

interface SinkOptions {
  /** The name of a file that is written into an existing directory; a byte string. */
  readonly basename: string
  problem(path: string, message: string): void
}

interface OpenFile {
  readonly fd: number
  readonly path: string
  readonly record: Buffer
}

interface Run {
  readonly root: string
  readonly options: SinkOptions
  readonly refused: Refused
  /** Directories being filled. Without a path, it was refused with everything below it. */
  readonly directories: Map<number, { path: string | undefined; record: Buffer }>
  readonly open: Map<number, OpenFile>
  /** The first path of each file with several names. */
  readonly links: Map<string, string>
}

const EEXIST = -17

function bytesOf(path: string): Buffer {
  return Buffer.from(path, 'latin1')
}

/** Writes the entry with parent 0 at `root`, a byte string. */
export function hostSink(root: string, options: SinkOptions): HostSink {
  const refused: Refused = { owners: 0, attributes: 0, modes: 0, times: 0 }
  const run: Run = {
    root,
    options,
    refused,
    directories: new Map(),
    open: new Map(),
    links: new Map(),
  }
  return {
    refused,
    take: (record) => takeRecord(run, record),
    end() {
      for (const [id, file] of run.open) drop(run, id, file)
    },
  }
}

/** Removes an incomplete file, which must not pass for a complete one. */
function drop(run: Run, id: number, { fd, path }: OpenFile): void {
  run.open.delete(id)
  closeSync(fd)
  unlinkSync(bytesOf(path))
}

function takeRecord(run: Run, record: Buffer): void {
  const kind = record.readUInt8(4)
  if (kind === ENTRY) takeEntry(run, record)
  else if (kind === DATA) {
    const { id, offset, bytes } = dataOf(record)
    const file = run.open.get(id)
    if (file !== undefined && !telling(run, file.path, () => writeAll(file.fd, bytes, offset)))
      drop(run, id, file)
  } else if (kind === END) takeEnd(run, record)
  else if (kind === LEAVE) {
    const left = run.directories.get(leftOf(record))
    run.directories.delete(leftOf(record))
    if (left?.path !== undefined) applyAttributes(run, left.path, left.record)
  }
}

function writeAll(fd: number, bytes: Buffer, offset: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(fd, bytes, done, bytes.length - done, offset + done)
}

/** Reports an error and continues, except that a full disk ends everything. */
function telling(run: Run, path: string, work: () => void): boolean {
  try {
    work()
    return true
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    const code = String(error.code)
    if (code === 'ENOSPC' || code === 'EDQUOT') throw error
    run.options.problem(path, code)
    return false
  }
}

/** Throws an error like those of node:fs. */
function assertDone(result: number, path: string): number {
  if (result >= 0) return result
  const code = errnoName(-result)
  throw Object.assign(new Error(`${code}: ${bytesOf(path).toString()}`), { code })
}

function takeEntry(run: Run, record: Buffer): void {
  const head = headOf(record)
  const { directories } = run
  if (isDirectory(head.mode)) directories.set(head.id, { path: undefined, record })
  const path = pathOf(run, head, record)
  if (path === undefined) return
  if (head.parent !== 0 && !isFileName(nameOf(record))) {
    run.options.problem(path, NO_NAME)
    return
  }
  if (path.length > PATH_BYTES_MAX) {
    run.options.problem(path, errnoName(ENAMETOOLONG))
    return
  }
  telling(run, path, () => {
    if ((head.flags & LINK) !== 0) makeLink(run, head, path)
    else makeNode(run, head, path, atMultipleOf8(record))
  })
}

/** Aligned, as the addon requires; a copy also outlives the piece. */
function atMultipleOf8(record: Buffer): Buffer {
  return record.byteOffset % 8 === 0 ? record : copyOf(record)
}

function copyOf(record: Buffer): Buffer {
  const copy = Buffer.from(new ArrayBuffer(record.length))
  record.copy(copy)
  return copy
}

function pathOf(run: Run, head: EntryHead, record: Buffer): string | undefined {
  if (head.parent !== 0) {
    const above = run.directories.get(head.parent)?.path
    return above === undefined ? undefined : `${above === '/' ? '' : above}/${nameOf(record)}`
  }
  const there = statSync(bytesOf(run.root), { throwIfNoEntry: false })
  const goesInto = there?.isDirectory() === true && !isDirectory(head.mode)
  return goesInto ? `${run.root === '/' ? '' : run.root}/${run.options.basename}` : run.root
}

function makeNode(run: Run, head: EntryHead, path: string, record: Buffer): void {
  const { makeNode: make } = addon()
  let result = make(bytesOf(path), record)
  if (result === EEXIST) {
    if (isDirectory(head.mode) && isFilled(run, head, path)) {
      run.directories.set(head.id, { path, record: copyOf(record) })
      return
    }
    makeRoom(path, head)
    result = make(bytesOf(path), record)
  }
  assertDone(result, path)
  if (head.nlink > 1 && !isDirectory(head.mode)) run.links.set(head.key, path)
  if (isDirectory(head.mode)) run.directories.set(head.id, { path, record: copyOf(record) })
  else if (head.id === 0) applyAttributes(run, path, record)
  else run.open.set(head.id, { fd: result, path, record: copyOf(record) })
}

/**
 * Whether a directory exists. The path given by the user may be a link to one; links below it are
 * not followed.
 */
function isFilled(run: Run, head: EntryHead, path: string): boolean {
  const found = head.parent === 0 ? statSync(bytesOf(run.root)) : lstatSync(bytesOf(path))
  return found.isDirectory()
}

/**
 * Removes a file that is in the way. Throws EISDIR or ENOTDIR if only one of the two is a
 * directory.
 */
function makeRoom(path: string, head: EntryHead): void {
  const found = lstatSync(bytesOf(path), { throwIfNoEntry: false })
  if (found === undefined) return
  if (isDirectory(head.mode)) throw Object.assign(new Error('ENOTDIR'), { code: 'ENOTDIR' })
  if (found.isDirectory()) throw Object.assign(new Error('EISDIR'), { code: 'EISDIR' })
  unlinkSync(bytesOf(path))
}

function makeLink(run: Run, head: EntryHead, path: string): void {
  const first = run.links.get(head.key)
  // The file itself was refused, which was reported.
  if (first === undefined) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' })
  try {
    linkSync(bytesOf(first), bytesOf(path))
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'EEXIST') throw error
    const [one, other] = [lstatSync(bytesOf(first)), lstatSync(bytesOf(path))]
    if (one.ino === other.ino && one.dev === other.dev) return
    makeRoom(path, head)
    linkSync(bytesOf(first), bytesOf(path))
  }
}

function takeEnd(run: Run, record: Buffer): void {
  const { id, size, flags } = endOf(record)
  const file = run.open.get(id)
  if (file === undefined) return
  if ((flags & FAILED) !== 0) {
    drop(run, id, file)
    return
  }
  if (!telling(run, file.path, () => ftruncateSync(file.fd, size))) {
    drop(run, id, file)
    return
  }
  run.open.delete(id)
  if (telling(run, file.path, () => closeSync(file.fd)))
    applyAttributes(run, file.path, file.record)
  else unlinkSync(bytesOf(file.path))
}

function applyAttributes(run: Run, path: string, record: Buffer): void {
  const bits = addon().writeAttributes(bytesOf(path), record)
  if (bits === 0) return
  const { refused } = run
  if ((bits & 1) !== 0) refused.owners++
  if ((bits & 2) !== 0) refused.attributes++
  if ((bits & 4) !== 0) refused.modes++
  if ((bits & 8) !== 0) refused.times++
}
