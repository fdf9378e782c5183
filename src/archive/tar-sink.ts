// Writes records as a tar archive that GNU tar reads completely: pax headers for long names,
// nanoseconds, extended attributes (SCHILY.xattr.*), access lists (SCHILY.acl.*) and large numbers;
// sparse files in GNU's format 1.0. Names that are not UTF-8 are kept as they are. Sockets cannot
// be archived.

import {
  isDirectory,
  isRegular,
  isSymlink,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFMT,
} from '../base/mode.ts'
import { isFileName } from '../base/names.ts'
import { aclToText } from './acl-text.ts'
import {
  attributesOf,
  contentOf,
  DATA,
  dataOf,
  END,
  ENTRY,
  type EntryHead,
  endOf,
  headOf,
  LEAVE,
  LINK,
  leftOf,
  mapOf,
  NO_NAME,
  nameOf,
  SPARSE,
  WHOLE,
} from './records.ts'
import {
  BLOCK_BYTES,
  encodeHeader,
  encodePax,
  needsPax,
  paddingOf,
  paxTime,
  SIZE_MAX,
  type TarHeader,
} from './tar-header.ts'

interface TarSink {
  take(record: Buffer): Promise<void>
  /** Ends the archive. */
  finish(): Promise<void>
}

interface Run {
  /** The path of the tree itself in the archive; '.' for a root. */
  readonly top: string
  readonly write: (bytes: Buffer) => Promise<void>
  readonly problem: (path: string, message: string) => void
  /** Whether holes are omitted, in GNU's format. */
  readonly isSparse: boolean
  readonly directories: Map<number, string>
  readonly links: Map<string, string>
  /** The file whose data is coming, unless it is left out. */
  current: Current | undefined
  written: number
}

/** A file being written; positions are in the bytes stored in the archive. */
interface Current {
  readonly id: number
  readonly stored: number
  /** Ranges of the file that are stored, one after another. */
  readonly runs: readonly [offset: number, length: number][]
  /** The range that data comes for, and the number of bytes stored before it. */
  at: number
  before: number
  reached: number
}

const START = { at: 0, before: 0, reached: 0 }
const ZEROS = Buffer.alloc(64 * 1024)
const RECORD_BYTES = 20 * BLOCK_BYTES
const NAME_BYTES_MAX = 100
const types: Readonly<Record<number, string>> = { [S_IFCHR]: '3', [S_IFBLK]: '4', [S_IFIFO]: '6' }

/**
 * `top` is a byte string; `write` gets the archive's bytes in order; without `isSparse` holes are
 * written as zeros.
 */
export function tarSink(
  top: string,
  write: (bytes: Buffer) => Promise<void>,
  problem: (path: string, message: string) => void,
  isSparse = true,
): TarSink {
  const run: Run = {
    top,
    write,
    problem,
    isSparse,
    directories: new Map(),
    links: new Map(),
    current: undefined,
    written: 0,
  }
  return {
    take: (record) => takeRecord(run, record),
    async finish() {
      await put(run, ZEROS.subarray(0, 2 * BLOCK_BYTES))
      const rest = run.written % RECORD_BYTES
      if (rest > 0) await put(run, ZEROS.subarray(0, RECORD_BYTES - rest))
    },
  }
}

async function put(run: Run, bytes: Buffer): Promise<void> {
  run.written += bytes.length
  await run.write(bytes)
}

async function takeRecord(run: Run, record: Buffer): Promise<void> {
  const kind = record.readUInt8(4)
  if (kind === ENTRY) await takeEntry(run, record)
  else if (kind === DATA) {
    const { id, offset, bytes } = dataOf(record)
    const { current } = run
    if (current?.id !== id) return
    await fill(run, current, placeOf(current, offset))
    // No more than the header's size, or a reader would take the rest for headers.
    const fit = bytes.subarray(0, current.stored - current.reached)
    await put(run, fit)
    current.reached += fit.length
  } else if (kind === END) {
    const { current } = run
    if (current?.id !== endOf(record).id) return
    // Filled up even after a failed read, because the header states the size.
    await fill(run, current, current.stored)
    await put(run, ZEROS.subarray(0, paddingOf(current.stored)))
    run.current = undefined
  } else if (kind === LEAVE) run.directories.delete(leftOf(record))
}

/** The stored position of a file offset. Offsets must ascend. */
function placeOf(current: Current, offset: number): number {
  for (; ; current.at++) {
    const run = current.runs[current.at]
    if (run === undefined) return current.before
    const [from, length] = run
    if (offset < from + length) return current.before + offset - from
    current.before += length
  }
}

/**
 * Extends ranges to whole blocks, except at the end of the file: GNU tar reads each range from a
 * new block, so others would be misread.
 */
function inBlocks(runs: readonly [number, number][], size: number): [number, number][] {
  const found: [number, number][] = []
  for (const [offset, length] of runs) {
    const last = found[found.length - 1]
    const from = offset - (offset % BLOCK_BYTES)
    const end = Math.min(size, offset + length + paddingOf(offset + length))
    if (last !== undefined && from <= last[0] + last[1]) last[1] = end - last[0]
    else found.push([from, end - from])
  }
  return found
}

/** Writes zeros up to a position. */
async function fill(run: Run, current: Current, to: number): Promise<void> {
  while (current.reached < to) {
    const length = Math.min(ZEROS.length, to - current.reached)
    await put(run, ZEROS.subarray(0, length))
    current.reached += length
  }
}

async function takeEntry(run: Run, record: Buffer): Promise<void> {
  const head = headOf(record)
  const { mode } = head
  const above = head.parent === 0 ? undefined : run.directories.get(head.parent)
  // Below a directory that was left out.
  if (head.parent !== 0 && above === undefined) return
  const path = above === undefined ? run.top : `${above}/${nameOf(record)}`
  if (above !== undefined && !isFileName(nameOf(record))) {
    run.problem(path, NO_NAME)
    return
  }
  if (isDirectory(mode)) run.directories.set(head.id, path)
  const first = run.links.get(head.key)
  if ((head.flags & LINK) !== 0 && first !== undefined) {
    await putHeader(run, { ...plain(head, path), type: '1', linkname: first }, new Map())
    return
  }
  if (head.nlink > 1 && !isDirectory(mode)) run.links.set(head.key, path)
  const pax = paxOf(head, record)
  if (isDirectory(mode)) await putHeader(run, { ...plain(head, `${path}/`), type: '5' }, pax)
  else if (isSymlink(mode)) {
    const linkname = contentOf(record).toString('latin1')
    await putHeader(run, { ...plain(head, path), type: '2', linkname }, pax)
  } else if (isRegular(mode)) await putFile(run, head, record, path, pax)
  else {
    const type = types[mode & S_IFMT]
    if (type === undefined) run.problem(path, 'sockets have no place in a tar archive')
    else await putHeader(run, { ...plain(head, path), type }, pax)
  }
}

async function putFile(
  run: Run,
  head: EntryHead,
  record: Buffer,
  path: string,
  pax: Map<string, string>,
): Promise<void> {
  if ((head.flags & WHOLE) !== 0) {
    const content = contentOf(record)
    await putHeader(run, { ...plain(head, path), size: content.length }, pax)
    await put(run, content)
    await put(run, ZEROS.subarray(0, paddingOf(content.length)))
    return
  }
  if ((head.flags & SPARSE) === 0 || !run.isSparse) {
    await putHeader(run, { ...plain(head, path), size: head.size }, pax)
    run.current = { id: head.id, stored: head.size, runs: [[0, head.size]], ...START }
    return
  }
  const runs = inBlocks(mapOf(record), head.size)
  // GNU tar ends a map like this if the file ends with a hole.
  const end = runs[runs.length - 1]
  if (end === undefined || end[0] + end[1] < head.size) runs.push([head.size, 0])
  const map = mapText(runs)
  const stored = runs.reduce((sum, [, length]) => sum + length, 0)
  pax.set('GNU.sparse.major', '1')
  pax.set('GNU.sparse.minor', '0')
  pax.set('GNU.sparse.name', path)
  pax.set('GNU.sparse.realsize', String(head.size))
  const slash = path.lastIndexOf('/') + 1
  const name = `${path.slice(0, slash)}GNUSparseFile.0/${path.slice(slash)}`
  await putHeader(run, { ...plain(head, name), size: map.length + stored }, pax)
  await put(run, map)
  run.current = { id: head.id, stored, runs, ...START }
}

function mapText(runs: readonly [number, number][]): Buffer {
  const lines = [runs.length, ...runs.flat()].map((each) => `${each}\n`).join('')
  return Buffer.concat([Buffer.from(lines), ZEROS.subarray(0, paddingOf(lines.length))])
}

function plain(head: EntryHead, name: string): TarHeader {
  const { mode, uid, gid, mtime, rdev } = head
  // FUSE's encoding of devices: 12 bits of major number between the two parts of the minor number.
  const major = (rdev >>> 8) & 0xfff
  const minor = (rdev & 0xff) | ((rdev >>> 12) & 0xfff00)
  return { name, mode, uid, gid, size: 0, mtime, type: '0', linkname: '', major, minor }
}

function paxOf(head: EntryHead, record: Buffer): Map<string, string> {
  const pax = new Map<string, string>()
  const { mtime, mtimeNs, atime, atimeNs } = head
  if (mtimeNs !== 0 || mtime < 0 || mtime > SIZE_MAX) pax.set('mtime', paxTime(mtime, mtimeNs))
  pax.set('atime', paxTime(atime, atimeNs))
  for (const { name, value } of attributesOf(record)) {
    const acl = /^system\.posix_acl_(access|default)$/.exec(name)?.[1]
    if (acl === undefined) {
      pax.set(`SCHILY.xattr.${encodeKey(name)}`, Buffer.from(value).toString('latin1'))
      continue
    }
    const text = aclToText(value)
    if (text !== undefined) pax.set(`SCHILY.acl.${acl}`, text)
  }
  return pax
}

/** An = would end the key. */
function encodeKey(name: string): string {
  return name.replaceAll('%', '%25').replaceAll('=', '%3D')
}

async function putHeader(run: Run, header: TarHeader, pax: Map<string, string>): Promise<void> {
  const parts: Buffer[] = []
  const { name, linkname } = header
  if (needsPax(header)) {
    pax.set('uid', String(header.uid))
    pax.set('gid', String(header.gid))
    pax.set('size', String(header.size))
  }
  if (name.length > NAME_BYTES_MAX) putLong(parts, pax, 'path', 'L', name)
  if (linkname.length > NAME_BYTES_MAX) putLong(parts, pax, 'linkpath', 'K', linkname)
  if (pax.size > 0) parts.push(...extra('x', encodePax(pax)))
  parts.push(encodeHeader(header))
  await put(run, Buffer.concat(parts))
}

/** pax text is UTF-8: any other name uses GNU tar's older long-name header. */
function putLong(
  parts: Buffer[],
  pax: Map<string, string>,
  key: string,
  type: string,
  name: string,
): void {
  const bytes = Buffer.from(name, 'latin1')
  if (bytes.equals(Buffer.from(bytes.toString('utf8')))) pax.set(key, name)
  else parts.push(...extra(type, Buffer.concat([bytes, Buffer.alloc(1)])))
}

function extra(type: string, bytes: Buffer): Buffer[] {
  const name = type === 'x' ? 'PaxHeader' : '././@LongLink'
  const empty = { mode: 0o644, uid: 0, gid: 0, mtime: 0, linkname: '', major: 0, minor: 0 }
  const header = encodeHeader({ ...empty, name, type, size: bytes.length })
  return [header, bytes, ZEROS.subarray(0, paddingOf(bytes.length))]
}
