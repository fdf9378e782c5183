// Reads a tar archive as records: ustar, pax and GNU tar's own formats with their sparse files.
// Members are processed in order; paths that lead out of the tree are refused. Owners are taken
// from the numbers, not the names. The stream is read to its very end: concatenated archives are
// read as one, and an archive without the zeros that end it is truncated.

import { isDirectory, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG } from '../base/mode.ts'
import { type ByteReader, byteReader } from './byte-reader.ts'
import { ArchiveError } from './errors.ts'
import type { SourceOptions } from './host-source.ts'
import { Outbox } from './outbox.ts'
import {
  DATA_BYTES_MAX,
  dataRecord,
  type EntryHead,
  endRecord,
  entryRecord,
  FAILED,
  IMPLIED,
  LINK,
  leaveRecord,
  plainHead,
  WHOLE,
  WHOLE_BYTES_MAX,
} from './records.ts'
import { attributesOf } from './tar-attributes.ts'
import { paddingOf } from './tar-header.ts'
import {
  asText,
  MAP_DAMAGED,
  type Member,
  type Members,
  membersOf,
  nextMember,
} from './tar-members.ts'
import { readMap, type SparseMap } from './tar-sparse.ts'

type TarOptions = Pick<SourceOptions, 'problem' | 'read'>

interface Run {
  readonly reader: ByteReader
  readonly out: Outbox
  readonly options: TarOptions
  /** Ids of directories by path ('' for the tree itself). */
  readonly directories: Map<string, number>
  readonly ids: number[]
  /** Keys of files that may get further names, by path. */
  readonly keys: Map<string, string>
  lastKey: number
  lastId: number
  readonly members: Members
  /** The member being read. */
  current: string | undefined
}

/** Longer names are cut in messages. */
const SHOWN_BYTES_MAX = 300
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

/**
 * Sends the contents of an archive as a tree whose top is a directory. Rejects with ArchiveError
 * for what is not a tar archive, or one that cannot be read to its end: what comes before the
 * damage has been sent then, and a file that is cut off by it was taken back.
 */
export async function readTar(
  source: AsyncIterable<Uint8Array>,
  send: (piece: Buffer) => Promise<void>,
  options: TarOptions,
): Promise<void> {
  const members = membersOf(byteReader(source), options.problem)
  const run: Run = {
    reader: members.reader,
    out: new Outbox(send),
    options,
    directories: new Map(),
    ids: [],
    keys: new Map(),
    lastKey: 0,
    lastId: 0,
    members,
    current: undefined,
  }
  const failure = await readMembers(run)
  if (failure !== undefined && members.last === undefined) throw failure
  await directoryOf(run, '')
  // Innermost first: a directory's attributes are set after everything below it.
  for (const id of run.ids.reverse()) await run.out.push(leaveRecord(id))
  await run.out.flush()
  if (failure !== undefined) throw failure
}

/** Processes members in order; returns the error that ends the archive early. */
async function readMembers(run: Run): Promise<ArchiveError | undefined> {
  const { members } = run
  try {
    for (;;) {
      const member = await nextMember(members)
      if (member === undefined) return undefined
      run.current = member.name
      await takeMember(run, member)
      members.last = member.name
      run.current = undefined
    }
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error
    const { current } = run
    const { last, hasEnded } = members
    if (current === undefined && (last === undefined || hasEnded)) return error
    const where = current === undefined ? `behind ${last}` : `within ${current}`
    return new ArchiveError(`${error.message}, ${asText(where)}`, { cause: error })
  }
}

/** A member's path in the tree, '' for the tree itself; undefined if it leads out of it. */
function pathOf(name: string): string | undefined {
  const names = name.split('/').filter((each) => each !== '' && each !== '.')
  return names.includes('..') ? undefined : names.join('/')
}

async function takeMember(run: Run, member: Member): Promise<void> {
  const { options, keys } = run
  const stored = member.size
  const path = pathOf(member.name)
  // The tree's own path ('') must be a directory; a hard link there is refused, too.
  const isKnown = member.type === '1' || modes[member.type] !== undefined
  if (path === undefined || !isKnown || (path === '' && modes[member.type] !== S_IFDIR)) {
    const why = isKnown ? 'leads out of the archive' : `is of a kind (${member.type}) unknown here`
    // A volume label is not a file.
    if (member.type !== 'V') options.problem(member.name, why)
    await run.reader.skip(stored + paddingOf(stored))
    return
  }
  if (member.damage !== undefined) {
    options.problem(member.name.slice(0, SHOWN_BYTES_MAX), `${member.damage}: left out`)
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
    else {
      keys.set(path, key)
      await run.out.push(entryRecord(headOf(member, parent, 0, LINK, key), name, []))
    }
    await run.reader.skip(stored + paddingOf(stored))
    return
  }
  // A name may occur more than once; its links refer to the file that it was at that point.
  const key = `t${++run.lastKey}`
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
  const attributes = attributesOf(member.pax, (why) => run.options.problem(member.name, why))
  const { type, size, sparse } = member
  const mode = modes[type] ?? S_IFREG
  if (mode !== S_IFREG) {
    const content = type === '2' ? [Buffer.from(member.linkname, 'latin1')] : []
    await run.out.push(
      entryRecord(headOf(member, parent, 0, WHOLE, key), name, attributes, content),
    )
    await reader.skip(size + paddingOf(size))
  } else if (sparse === undefined && size <= WHOLE_BYTES_MAX) {
    const content = await reader.exactly(size)
    const head = headOf(member, parent, 0, WHOLE, key)
    await run.out.push(entryRecord(head, name, attributes, [content]))
    await reader.skip(paddingOf(size))
  } else {
    const id = ++run.lastId
    await run.out.push(entryRecord(headOf(member, parent, id, 0, key), name, attributes))
    await putContent(run, id, member)
  }
}

/** An incomplete file is taken back. */
async function putContent(run: Run, id: number, { name, size, sparse }: Member): Promise<void> {
  const { reader } = run
  let left = size
  try {
    let map: SparseMap | undefined = sparse?.map ?? [[0, size]]
    if (sparse !== undefined && sparse.map === undefined) {
      const read = await readMap(reader, sparse.size, left)
      left -= read.bytes
      map = read.map
    }
    // The map is invalid, or does not match the size of what is stored.
    if (map?.reduce((sum, [, length]) => sum + length, 0) !== left) map = undefined
    for (const [offset, length] of map ?? [])
      for (let at = 0; at < length; ) {
        const bytes = await reader.some(Math.min(DATA_BYTES_MAX, length - at))
        await run.out.push(dataRecord(id, offset + at, [bytes]))
        at += bytes.length
        left -= bytes.length
      }
    if (map === undefined) run.options.problem(name, `${MAP_DAMAGED}: left out`)
    await reader.skip(left + paddingOf(size))
    await run.out.push(endRecord(id, sparse?.size ?? size, map === undefined ? FAILED : 0))
  } catch (error) {
    if (error instanceof ArchiveError) await run.out.push(endRecord(id, 0, FAILED))
    throw error
  }
}

function headOf(member: Member, parent: number, id: number, flags: number, key: string): EntryHead {
  const { major, minor, uid, gid, size } = member
  const { mtime, atime } = member.times
  const type = member.type === '1' ? S_IFREG : (modes[member.type] ?? S_IFREG)
  return {
    flags,
    parent,
    id,
    mode: type | member.mode,
    uid,
    gid,
    // Which files have further names is not known yet.
    nlink: isDirectory(type) ? 1 : 2,
    rdev: ((minor & 0xff) | (major << 8) | ((minor & 0xfff00) << 12)) >>> 0,
    size: member.sparse?.size ?? size,
    mtime: mtime.sec,
    mtimeNs: mtime.ns,
    atime: atime.sec,
    atimeNs: atime.ns,
    key,
  }
}

async function putDirectory(run: Run, path: string, member: Member): Promise<void> {
  const { directories } = run
  const known = directories.get(path)
  const id = ++run.lastId
  run.ids.push(id)
  const slash = path.lastIndexOf('/')
  const parent = path === '' ? 0 : await directoryOf(run, slash < 0 ? '' : path.slice(0, slash))
  // A directory implied by its files is sent again, with its attributes.
  if (known === undefined || path !== '') directories.set(path, id)
  const head = { ...headOf(member, parent, id, 0, ''), mode: S_IFDIR | member.mode }
  await run.out.push(
    entryRecord(
      head,
      path.slice(slash + 1),
      attributesOf(member.pax, (why) => run.options.problem(member.name, why)),
    ),
  )
}

/** The id of a directory; missing ones are implied, from the top down. */
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
  const kind = { flags: IMPLIED, mode: S_IFDIR | 0o755 }
  const head = { ...plainHead(Math.floor(Date.now() / 1000)), ...kind, parent, id }
  await run.out.push(entryRecord(head, path.slice(slash + 1), []))
  return id
}
