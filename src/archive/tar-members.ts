// The members of a tar archive, each with all that stands before it about it: pax and GNU headers, maps of sparse files. Knows where
// an archive ends, nothing of trees. The content of a member is the caller's to read.

import type { ByteReader } from './byte-reader.ts'
import { ArchiveError, ENDS_TOO_EARLY } from './errors.ts'
import {
  BLOCK_BYTES,
  decodeHeader,
  decodePax,
  type PaxTime,
  paddingOf,
  parsePaxTime,
  type TarHeader,
} from './tar-header.ts'
import { isCount, type SparseFile, sparseOf } from './tar-sparse.ts'

export interface Members {
  readonly reader: ByteReader
  readonly problem: (path: string, message: string) => void
  /** What pax headers said of all that follows. */
  readonly globals: Map<string, string>
  /** The last member that was read with its content. */
  last: string | undefined
  /** A block of zeros came: the archive may end here. */
  hasEnded: boolean
  /** That of the last header. */
  block: Buffer
}

export interface Member extends TarHeader {
  readonly pax: ReadonlyMap<string, string>
  readonly sparse: SparseFile | undefined
  readonly times: { readonly mtime: PaxTime; readonly atime: PaxTime }
  /** Why it is left out. */
  readonly damage: string | undefined
}

/** Names and extended attributes of one file; more is no archive. */
const EXTRA_BYTES_MAX = 16 * 1024 * 1024
/** Of Linux's device numbers. */
const MAJOR_MAX = 0xfff
const MINOR_MAX = 0xfffff
export const MAP_DAMAGED = 'its map of a sparse file is damaged'
const NO_ARCHIVE_BEHIND = 'behind the end of the archive there is something that is none'

/** `problem` hears of what is left out. */
export function membersOf(reader: ByteReader, problem: Members['problem']): Members {
  return {
    reader,
    problem,
    globals: new Map(),
    last: undefined,
    hasEnded: false,
    block: Buffer.alloc(0),
  }
}

/** The next member; undefined at the end. Throws ArchiveError. */
export async function nextMember(members: Members): Promise<Member | undefined> {
  let header = await nextHeader(members)
  if (members.hasEnded && header !== undefined) {
    // Another archive.
    members.globals.clear()
    members.hasEnded = false
  }
  const pax = new Map(members.globals)
  const maps: [string, string][] = []
  let [path, link, damage]: (string | undefined)[] = []
  let isAwaited = false
  for (; header !== undefined; header = await nextHeader(members)) {
    if (!['x', 'g', 'L', 'K', 'X'].includes(header.type)) break
    isAwaited ||= header.type !== 'g'
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
  return overridden(header, { pax, sparse: isDamaged ? undefined : sparse, damage }, path, link)
}

/**
 * What the next block says; undefined at the end of the stream. Behind a damaged one goes on with the next that is a header, as GNU
 * tar does.
 */
async function nextHeader(members: Members): Promise<TarHeader | undefined> {
  for (let isLost = false; ; ) {
    const block = await members.reader.upTo(BLOCK_BYTES)
    if (block.length < BLOCK_BYTES) {
      if (members.hasEnded && block.every((byte) => byte === 0)) return undefined
      throw new ArchiveError(members.hasEnded ? NO_ARCHIVE_BEHIND : ENDS_TOO_EARLY)
    }
    try {
      const header = decodeHeader(block)
      members.block = block
      if (header !== undefined) return header
      members.hasEnded = true
    } catch (error) {
      if (!(error instanceof ArchiveError) || members.last === undefined) throw error
      if (isLost) {
        // The zeros were those of a lost file.
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
  if (size > EXTRA_BYTES_MAX) throw new ArchiveError('a header of the archive is too large')
  const kept = Buffer.from(await reader.exactly(size))
  await reader.skip(paddingOf(size))
  return kept
}

function upToNul(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('latin1', 0, end < 0 ? bytes.length : end)
}

function overridden(
  header: TarHeader,
  more: Pick<Member, 'pax' | 'sparse' | 'damage'>,
  path: string | undefined,
  link: string | undefined,
): Member {
  const { pax } = more
  const [size, uid, gid] = (['size', 'uid', 'gid'] as const).map((key) =>
    Number(pax.get(key) ?? header[key]),
  ) as [number, number, number]
  if (!isCount(size)) throw new ArchiveError(`the size of ${asText(header.name)} is damaged`)
  const times = timesOf(header, pax)
  const isFit = uid >>> 0 === uid && gid >>> 0 === gid
  const isDevice = header.type === '3' || header.type === '4'
  const isNumbered = header.major <= MAJOR_MAX && header.minor <= MINOR_MAX
  const areTimes = Number.isSafeInteger(times.mtime.sec) && Number.isSafeInteger(times.atime.sec)
  return {
    ...header,
    ...more,
    damage:
      more.damage ??
      (isFit && areTimes ? undefined : 'its owner or its time is damaged') ??
      (isDevice && !isNumbered ? 'its device number is damaged' : undefined),
    name: pax.get('GNU.sparse.name') ?? pax.get('path') ?? path ?? header.name,
    linkname: pax.get('linkpath') ?? link ?? header.linkname,
    size,
    uid,
    gid,
    times,
  }
}

function timesOf(header: TarHeader, pax: ReadonlyMap<string, string>): Member['times'] {
  const mtime = parsePaxTime(pax.get('mtime') ?? String(header.mtime))
  return { mtime, atime: pax.has('atime') ? parsePaxTime(pax.get('atime') ?? '') : mtime }
}

/** A byte string for people. */
export function asText(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString()
}
