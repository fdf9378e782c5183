// Reads the members of a tar archive, each with the headers before it that describe it: pax and GNU
// headers, maps of sparse files. Finds where an archive ends; knows nothing of trees. The caller
// reads the content of a member.

import { NAME_BYTES_MAX } from '../base/limits.ts'
import type { ByteReader } from './byte-reader.ts'
import { ArchiveError, ENDS_TOO_EARLY } from './errors.ts'
import {
  BLOCK_BYTES,
  decodeHeader,
  decodePax,
  type PaxTime,
  paddingOf,
  parsePaxCount,
  parsePaxTime,
  type TarHeader,
} from './tar-header.ts'
import { isCount, type SparseFile, sparseOf } from './tar-sparse.ts'

export interface Members {
  readonly reader: ByteReader
  readonly problem: (path: string, message: string) => void
  /** Records of global pax headers, which apply to all later members. */
  readonly globals: Map<string, string>
  /** The last member whose content was read. */
  last: string | undefined
  /** Total size of the global pax headers. */
  globalBytes: number
  /**
   * The position of the next header is unknown: the blocks before it are content of a member whose
   * size is invalid.
   */
  isLost: boolean
  /** A block of zeros has come: the archive may end here. */
  hasEnded: boolean
  /** The block of the last header. */
  block: Buffer
}

export interface Member extends TarHeader {
  readonly pax: ReadonlyMap<string, string>
  readonly sparse: SparseFile | undefined
  readonly times: { readonly mtime: PaxTime; readonly atime: PaxTime }
  /** Why the member is left out. */
  readonly damage: string | undefined
}

/** Bound on the headers of one member, and on all global ones; a larger archive is invalid. */
const EXTRA_BYTES_MAX = 16 * 1024 * 1024
export const MAP_DAMAGED = 'its map of a sparse file is damaged'
const NO_ARCHIVE_BEHIND = 'behind the end of the archive there is something that is none'

/** `problem` is called for what is left out. */
export function membersOf(reader: ByteReader, problem: Members['problem']): Members {
  return {
    reader,
    problem,
    globals: new Map(),
    globalBytes: 0,
    isLost: false,
    last: undefined,
    hasEnded: false,
    block: Buffer.alloc(0),
  }
}

/** The next member; undefined at the end. Throws ArchiveError. */
export async function nextMember(members: Members): Promise<Member | undefined> {
  let header = await nextHeader(members)
  if (members.hasEnded && header !== undefined) {
    // Another, concatenated archive.
    members.globals.clear()
    members.globalBytes = 0
    members.hasEnded = false
  }
  const pax = new Map(members.globals)
  const maps: [string, string][] = []
  let [path, link, damage]: (string | undefined)[] = []
  let isAwaited = false
  let bytes = 0
  for (; header !== undefined; header = await nextHeader(members)) {
    if (!['x', 'g', 'L', 'K', 'X'].includes(header.type)) break
    isAwaited ||= header.type !== 'g'
    bytes += header.size
    if (header.type === 'g') members.globalBytes += header.size
    // Written so that NaN fails, too.
    if (!(Math.max(bytes, members.globalBytes) <= EXTRA_BYTES_MAX))
      throw new ArchiveError('a header of the archive is too large')
    const extra = await extraOf(members, header.size)
    if (header.type === 'L') path = upToNul(extra)
    else if (header.type === 'K') link = upToNul(extra)
    else
      try {
        for (const [key, value] of decodePax(extra)) {
          if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') maps.push([key, value])
          if (header.type === 'g') members.globals.set(key, value)
          pax.set(key, value)
        }
      } catch (error) {
        if (!(error instanceof ArchiveError)) throw error
        damage = error.message
      }
  }
  if (header === undefined) {
    if (isAwaited) throw new ArchiveError('a header of the archive has no file')
    return undefined
  }
  const sparse = await sparseOf(members.reader, header.type, members.block, pax, maps)
  const isDamaged = sparse === 'damaged'
  damage ??= isDamaged ? MAP_DAMAGED : undefined
  return overridden(
    members,
    header,
    { pax, sparse: isDamaged ? undefined : sparse, damage },
    path,
    link,
  )
}

/**
 * The header in the next block; undefined at the end of the stream. After a damaged block it
 * continues with the next valid header, as GNU tar does.
 */
async function nextHeader(members: Members): Promise<TarHeader | undefined> {
  for (let { isLost } = members; ; ) {
    const block = await members.reader.upTo(BLOCK_BYTES)
    if (block.length < BLOCK_BYTES) {
      if (members.hasEnded && block.every((byte) => byte === 0)) return undefined
      throw new ArchiveError(members.hasEnded ? NO_ARCHIVE_BEHIND : ENDS_TOO_EARLY)
    }
    try {
      const header = decodeHeader(block)
      members.block = block
      if (header !== undefined) {
        members.isLost = false
        return header
      }
      members.hasEnded = true
    } catch (error) {
      if (!(error instanceof ArchiveError) || members.last === undefined) throw error
      if (isLost) {
        // The zeros belonged to a lost file.
        members.hasEnded = false
        continue
      }
      if (members.hasEnded) throw new ArchiveError(NO_ARCHIVE_BEHIND)
      members.problem(members.last, 'what stands behind it is damaged: one file or more is lost')
      isLost = true
    }
  }
}

async function extraOf({ reader }: Members, size: number): Promise<Buffer> {
  const kept = Buffer.from(await reader.exactly(size))
  await reader.skip(paddingOf(size))
  return kept
}

function upToNul(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('latin1', 0, end < 0 ? bytes.length : end)
}

function overridden(
  members: Members,
  header: TarHeader,
  more: Pick<Member, 'pax' | 'sparse' | 'damage'>,
  path: string | undefined,
  link: string | undefined,
): Member {
  const { pax } = more
  const [size, uid, gid] = (['size', 'uid', 'gid'] as const).map((key) => {
    const value = said(pax, key)
    return value === undefined ? header[key] : parsePaxCount(value)
  }) as [number, number, number]
  // Its content may be taken for members as far as it looks like headers; anything else is skipped.
  if (!isCount(size)) members.isLost = true
  const stored = isCount(size) ? size : isCount(header.size) ? header.size : 0
  const its = {
    ...header,
    ...more,
    name: said(pax, 'GNU.sparse.name') ?? said(pax, 'path') ?? path ?? header.name,
    linkname: said(pax, 'linkpath') ?? link ?? header.linkname,
    size: stored,
    uid,
    gid,
    times: timesOf(header, pax),
  }
  return { ...its, damage: more.damage ?? (isCount(size) ? damageOf(its) : 'its size is damaged') }
}

/** The value of a pax record; an empty value cancels the record. */
function said(pax: ReadonlyMap<string, string>, key: string): string | undefined {
  const value = pax.get(key)
  return value === '' ? undefined : value
}

/** Limits of Linux's device numbers. */
const MAJOR_MAX = 0xfff
const MINOR_MAX = 0xfffff

function damageOf(member: Omit<Member, 'damage'>): string | undefined {
  const { mode, uid, gid, times, type, major, minor, name } = member
  if (Number.isNaN(mode)) return 'its mode is damaged'
  const areTimes = Number.isSafeInteger(times.mtime.sec) && Number.isSafeInteger(times.atime.sec)
  if (uid >>> 0 !== uid || gid >>> 0 !== gid || !areTimes) return 'its owner or its time is damaged'
  const isWithin = major >= 0 && major <= MAJOR_MAX && minor >= 0 && minor <= MINOR_MAX
  if ((type === '3' || type === '4') && !isWithin) return 'its device number is damaged'
  if (name.split('/').some((its) => its.length > NAME_BYTES_MAX)) return 'its name is too long'
  return undefined
}

function timesOf(header: TarHeader, pax: ReadonlyMap<string, string>): Member['times'] {
  const mtime = parsePaxTime(said(pax, 'mtime') ?? String(header.mtime))
  const atime = said(pax, 'atime')
  return { mtime, atime: atime === undefined ? mtime : parsePaxTime(atime) }
}

/** A byte string as text for messages. */
export function asText(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString()
}
