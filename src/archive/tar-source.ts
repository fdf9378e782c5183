// A tar archive as records: ustar, pax and GNU tar's own formats, sparse files of all of them. Members are taken as they come; paths
// that lead out of the tree are refused. Owners are numbers: what the archive calls them does not count.

import { isDirectory, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG } from '../base/mode.ts'
import { aclFromText } from './acl-text.ts'
import { type ByteReader, byteReader } from './byte-reader.ts'
import type { SourceOptions } from './host-source.ts'
import { Outbox } from './outbox.ts'
import {
  type Attribute,
  DATA_BYTES_MAX,
  dataRecord,
  type EntryHead,
  endRecord,
  entryRecord,
  IMPLIED,
  LINK,
  leaveRecord,
  WHOLE,
} from './records.ts'
import {
  BLOCK_BYTES,
  decodeHeader,
  decodePax,
  paddingOf,
  parsePaxTime,
  type TarHeader,
} from './tar-header.ts'
import { readMap, type SparseFile, sparseOf } from './tar-sparse.ts'

type TarOptions = Pick<SourceOptions, 'problem' | 'read'>

interface Run {
  readonly reader: ByteReader
  readonly out: Outbox
  readonly options: TarOptions
  /** Ids of directories by their path ('' for the tree itself). */
  readonly directories: Map<string, number>
  readonly ids: number[]
  /** Keys of what can have further names, by path. */
  readonly keys: Map<string, string>
  lastId: number
}

interface Member extends TarHeader {
  readonly pax: ReadonlyMap<string, string>
  readonly sparse: SparseFile | undefined
}

const INLINE_BYTES_MAX = 64 * 1024
/** Names and extended attributes of one file; more is no archive. */
const EXTRA_BYTES_MAX = 16 * 1024 * 1024
const modes: Readonly<Record<string, number>> = {
  '0': S_IFREG,
  '7': S_IFREG,
  S: S_IFREG,
  '2': S_IFLNK,
  '3': S_IFCHR,
  '4': S_IFBLK,
  '5': S_IFDIR,
  D: S_IFDIR,
  '6': S_IFIFO,
}

/** Sends what is in an archive, as a tree whose top is a directory. Rejects with Error for what is no tar archive. */
export async function readTar(
  source: AsyncIterable<Uint8Array>,
  send: (piece: Buffer) => Promise<void>,
  options: TarOptions,
): Promise<void> {
  const run: Run = {
    reader: byteReader(source),
    out: new Outbox(send),
    options,
    directories: new Map(),
    ids: [],
    keys: new Map(),
    lastId: 0,
  }
  const globals = new Map<string, string>()
  for (;;) {
    const member = await nextMember(run, globals)
    if (member === undefined) break
    await takeMember(run, member)
  }
  await directoryOf(run, '')
  // The innermost first: what they are comes when all below is there.
  for (const id of run.ids.reverse()) await run.out.push(leaveRecord(id))
  await run.out.flush()
}

/** The next header with all that stood before it about it. */
async function nextMember(run: Run, globals: Map<string, string>): Promise<Member | undefined> {
  const pax = new Map(globals)
  const maps: [string, string][] = []
  let [path, link]: (string | undefined)[] = []
  for (;;) {
    const block = await run.reader.exactly(BLOCK_BYTES)
    const header = block === undefined ? undefined : decodeHeader(block)
    if (header === undefined || block === undefined) return undefined
    if (!['x', 'g', 'L', 'K', 'X'].includes(header.type)) {
      const sparse = await sparseOf(run.reader, header.type, block, pax, maps)
      return overridden(header, pax, sparse, path, link)
    }
    const extra = await extraOf(run, header.size)
    if (header.type === 'L') path = upToNul(extra)
    else if (header.type === 'K') link = upToNul(extra)
    else
      for (const [key, value] of decodePax(extra)) {
        if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') maps.push([key, value])
        const into = header.type === 'g' ? globals : pax
        into.set(key, value)
        pax.set(key, value)
      }
  }
}

async function extraOf(run: Run, size: number): Promise<Buffer> {
  if (size > EXTRA_BYTES_MAX) throw new Error('a header of the archive is too large')
  const bytes = await run.reader.exactly(size)
  if (bytes === undefined && size > 0) throw new Error('the archive ends too early')
  const kept = Buffer.from(bytes ?? '')
  await run.reader.skip(paddingOf(size))
  return kept
}

function upToNul(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('latin1', 0, end < 0 ? bytes.length : end)
}

function overridden(
  header: TarHeader,
  pax: ReadonlyMap<string, string>,
  sparse: SparseFile | undefined,
  path: string | undefined,
  link: string | undefined,
): Member {
  const count = (key: string, value: number): number => Number(pax.get(key) ?? value)
  return {
    ...header,
    name: pax.get('GNU.sparse.name') ?? pax.get('path') ?? path ?? header.name,
    linkname: pax.get('linkpath') ?? link ?? header.linkname,
    size: count('size', header.size),
    uid: count('uid', header.uid),
    gid: count('gid', header.gid),
    pax,
    sparse,
  }
}

/** The path of a member below the tree, '' for the tree itself; undefined when it leads out of it. */
function pathOf(name: string): string | undefined {
  const names = name.split('/').filter((each) => each !== '' && each !== '.')
  return names.includes('..') ? undefined : names.join('/')
}

async function takeMember(run: Run, member: Member): Promise<void> {
  const { options, keys } = run
  const stored = member.size
  const path = pathOf(member.name)
  // A link to itself would be a file of the tree's own.
  const isKnown = member.type === '1' || modes[member.type] !== undefined
  if (path === undefined || !isKnown || (path === '' && modes[member.type] !== S_IFDIR)) {
    const why = isKnown ? 'leads out of the archive' : `is of a kind (${member.type}) unknown here`
    // A volume's name is no file.
    if (member.type !== 'V') options.problem(member.name, why)
    await run.reader.skip(stored + paddingOf(stored))
    return
  }
  options.read(1, stored)
  if (modes[member.type] === S_IFDIR || (member.type === '0' && member.name.endsWith('/'))) {
    await putDirectory(run, path, member)
    await run.reader.skip(stored + paddingOf(stored))
    return
  }
  const slash = path.lastIndexOf('/')
  const parent = await directoryOf(run, slash < 0 ? '' : path.slice(0, slash))
  const name = path.slice(slash + 1)
  if (member.type === '1') {
    const key = keys.get(pathOf(member.linkname) ?? '')
    if (key === undefined)
      options.problem(member.name, `links to ${member.linkname}, which is not there`)
    else await run.out.push(entryRecord(headOf(member, parent, 0, LINK, key), name, []))
    await run.reader.skip(stored + paddingOf(stored))
    return
  }
  const key = `t${keys.size}`
  keys.set(path, key)
  await putFile(run, member, parent, name, key)
}

async function putFile(
  run: Run,
  member: Member,
  parent: number,
  name: string,
  key: string,
): Promise<void> {
  const { reader } = run
  const attributes = attributesOf(run, member)
  const { type, size, sparse } = member
  const mode = modes[type] ?? S_IFREG
  if (mode !== S_IFREG) {
    const content = type === '2' ? [Buffer.from(member.linkname, 'latin1')] : []
    await run.out.push(
      entryRecord(headOf(member, parent, 0, WHOLE, key), name, attributes, content),
    )
    await reader.skip(size + paddingOf(size))
  } else if (sparse === undefined && size <= INLINE_BYTES_MAX) {
    const content = size === 0 ? Buffer.alloc(0) : await reader.exactly(size)
    if (content === undefined) throw new Error('the archive ends too early')
    const head = headOf(member, parent, 0, WHOLE, key)
    await run.out.push(entryRecord(head, name, attributes, [content]))
    await reader.skip(paddingOf(size))
  } else {
    const id = ++run.lastId
    await run.out.push(entryRecord(headOf(member, parent, id, 0, key), name, attributes))
    await putContent(run, id, member)
  }
}

async function putContent(run: Run, id: number, { size, sparse }: Member): Promise<void> {
  const { reader } = run
  let left = size
  let map: readonly (readonly [number, number])[] = [[0, size]]
  if (sparse !== undefined) {
    const read = sparse.map === undefined ? await readMap(reader) : { map: sparse.map, bytes: 0 }
    map = read.map
    left -= read.bytes
  }
  for (const [offset, length] of map) {
    if (length > left) throw new Error('the map of a sparse file is damaged')
    for (let at = 0; at < length; ) {
      const bytes = await reader.some(Math.min(DATA_BYTES_MAX, length - at))
      if (bytes === undefined) throw new Error('the archive ends too early')
      await run.out.push(dataRecord(id, offset + at, [bytes]))
      at += bytes.length
    }
    left -= length
  }
  await reader.skip(left + paddingOf(size))
  await run.out.push(endRecord(id, sparse?.size ?? size, 0))
}

function headOf(member: Member, parent: number, id: number, flags: number, key: string): EntryHead {
  const { pax, major, minor, uid, gid, size } = member
  const type = member.type === '1' ? S_IFREG : (modes[member.type] ?? S_IFREG)
  const mtime = parsePaxTime(pax.get('mtime') ?? String(member.mtime))
  const atime = pax.has('atime') ? parsePaxTime(pax.get('atime') ?? '') : mtime
  return {
    flags,
    parent,
    id,
    mode: type | member.mode,
    uid,
    gid,
    // Which ones have further names shows later.
    nlink: isDirectory(type) ? 1 : 2,
    rdev: (minor & 0xff) | (major << 8) | ((minor & 0xfff00) << 12),
    size: member.sparse?.size ?? size,
    mtime: mtime.sec,
    mtimeNs: mtime.ns,
    atime: atime.sec,
    atimeNs: atime.ns,
    key,
  }
}

function attributesOf(run: Run, { pax, name }: Member): Attribute[] {
  const found: Attribute[] = []
  for (const [key, value] of pax) {
    if (key.startsWith('SCHILY.xattr.')) {
      const its = decodeKey(key.slice('SCHILY.xattr.'.length))
      // Access lists come as text, below.
      if (!its.startsWith('system.posix_acl_'))
        found.push({ name: its, value: Buffer.from(value, 'latin1') })
    }
    const acl = /^SCHILY\.acl\.(access|default)$/.exec(key)?.[1]
    if (acl === undefined || value === '') continue
    const list = aclFromText(value)
    if (list === undefined) run.options.problem(name, `its access list names somebody unknown`)
    // Three entries say no more than the mode.
    else if (acl === 'default' || list.length > 4 + 3 * 8)
      found.push({ name: `system.posix_acl_${acl}`, value: list })
  }
  return found
}

function decodeKey(key: string): string {
  return key.replaceAll('%3D', '=').replaceAll('%25', '%')
}

async function putDirectory(run: Run, path: string, member: Member): Promise<void> {
  const { directories } = run
  const known = directories.get(path)
  const id = ++run.lastId
  run.ids.push(id)
  const slash = path.lastIndexOf('/')
  const parent = path === '' ? 0 : await directoryOf(run, slash < 0 ? '' : path.slice(0, slash))
  // One that was implied by its files is told again, with what it is.
  if (known === undefined || path !== '') directories.set(path, id)
  const head = { ...headOf(member, parent, id, 0, ''), mode: S_IFDIR | member.mode }
  await run.out.push(entryRecord(head, path.slice(slash + 1), attributesOf(run, member)))
}

/** The id of a directory; those that no member told of are implied, from the top down. */
async function directoryOf(run: Run, path: string): Promise<number> {
  const { directories } = run
  const implied: string[] = []
  for (let at = path; !directories.has(at); at = parentOf(at)) {
    implied.push(at)
    if (at === '') break
  }
  const top = implied[implied.length - 1]
  let id = directories.get(top === undefined ? path : parentOf(top)) ?? 0
  for (const missing of implied.reverse()) id = await implyDirectory(run, missing, id)
  return id
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

async function implyDirectory(run: Run, path: string, parent: number): Promise<number> {
  const slash = path.lastIndexOf('/')
  const id = ++run.lastId
  run.ids.push(id)
  run.directories.set(path, id)
  const now = Math.floor(Date.now() / 1000)
  const head: EntryHead = {
    flags: IMPLIED,
    parent,
    id,
    mode: S_IFDIR | 0o755,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    nlink: 1,
    rdev: 0,
    size: 0,
    mtime: now,
    mtimeNs: 0,
    atime: now,
    atimeNs: 0,
    key: '',
  }
  await run.out.push(entryRecord(head, path.slice(slash + 1), []))
  return id
}
