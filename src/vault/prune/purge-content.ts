// Finds where some bytes are or were: the files whose content contains them, and when. Every state
// of every file is assembled and searched chunk by chunk, also across chunk borders and across
// writes from different times.

import { FsError } from '../../base/errno.ts'
import { CHUNK_BYTES } from '../../base/limits.ts'
import { type ExtentRow, extent, extentPast, inode as inodes } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { ALL } from '../../store/store.ts'
import { readExtents } from '../content/content.ts'
import { verifyInline } from '../content/extents.ts'
import { hashOf } from '../core/blocks.ts'
import type { Core } from '../core/core.ts'
import type { Moment } from '../core/moment.ts'
import { walkRows } from '../core/rows.ts'
import type { Slices } from '../core/time-slices.ts'

const END_BYTES_MIN = 64

/** From `since` to before `until`. */
export interface Span {
  readonly since: Moment
  readonly until: Moment
}

/** Files that contain the bytes: in which of their states, and those that contain them now. */
export interface Holding {
  readonly spans: ReadonlyMap<number, readonly Span[]>
  readonly living: readonly number[]
}

/** An extent with its lifetime; `until` is Infinity for a present one. */
type Lasting = ExtentRow & { until: Moment }

/**
 * What to search for: `text`, which fits in a chunk, anywhere in a file. Content longer than a
 * chunk is also searched for by the hashes of its whole chunks.
 */
export interface Wanted {
  readonly text: Uint8Array
  readonly chunks: ReadonlySet<string>
}

/**
 * What to search for to find a content, without a last part so short that many files contain it.
 */
export function wantedOf(content: Uint8Array): Wanted {
  if (content.length <= CHUNK_BYTES) return { text: content, chunks: new Set() }
  const end = Math.floor(content.length / CHUNK_BYTES) * CHUNK_BYTES
  const chunks = new Set<string>()
  for (let at = 0; at < end; at += CHUNK_BYTES)
    chunks.add(hashOf(content.subarray(at, at + CHUNK_BYTES)))
  const text = content.subarray(end)
  return { text: text.length < END_BYTES_MIN ? new Uint8Array() : text, chunks }
}

/** The files that contain the bytes. Sees durable rows only; see rows.ts. */
export async function holdersOf(
  core: Core,
  wanted: Wanted,
  slices: Slices,
  progress: (inodes: number) => void,
): Promise<Holding> {
  const spans = new Map<number, Span[]>()
  const living: number[] = []
  let done = 0
  for await (const [ino, chunks] of chunksByInode(core, slices)) {
    const found: Span[] = []
    for (const chunk of chunks) found.push(...(await spansOf(core, ino, chunk, wanted, slices)))
    progress(++done)
    if (found.length === 0) continue
    const isThere = await retryUntilLoaded(() => core.overlay.get(inodes, [ino]) !== undefined)
    if (isThere && found.some(({ until }) => until === Number.POSITIVE_INFINITY)) living.push(ino)
    spans.set(ino, found)
  }
  return { spans, living }
}

/** For each inode, the chunks that have or had content. */
async function* chunksByInode(
  core: Core,
  slices: Slices,
): AsyncGenerator<[number, ReadonlySet<number>]> {
  const { store } = core.overlay
  const now = walkRows(store, extent, ['ino', 'offset'], {}, slices)
  const past = walkRows(store, extentPast, ['ino', 'offset', 'since'], {}, slices)
  const walks = [now, past] as AsyncGenerator<{ ino: number; offset: number }>[]
  const heads = await Promise.all(walks.map(async (walk) => (await walk.next()).value))
  for (;;) {
    const ino = Math.min(...heads.map((head) => head?.ino ?? Number.POSITIVE_INFINITY))
    if (ino === Number.POSITIVE_INFINITY) return
    const chunks = new Set<number>()
    for (const [at, walk] of walks.entries())
      while (heads[at]?.ino === ino) {
        chunks.add(Math.floor(heads[at].offset / CHUNK_BYTES))
        heads[at] = (await walk.next()).value
      }
    yield [ino, chunks]
  }
}

/** When a chunk contained the bytes, including matches that begin in the chunk before it. */
async function spansOf(
  core: Core,
  ino: number,
  chunk: number,
  wanted: Wanted,
  slices: Slices,
): Promise<Span[]> {
  const before = Math.max(0, wanted.text.length - 1)
  const first = Math.max(0, chunk * CHUNK_BYTES - before)
  const to = (chunk + 1) * CHUNK_BYTES
  const rows = await retryUntilLoaded(() => extentsWithin(core, ino, first, to))
  const moments = [...new Set(rows.flatMap(({ since, until }) => [since, until]))].sort(
    (a, b) => a - b,
  )
  const spans: Span[] = []
  for (const [at, since] of moments.entries()) {
    const until = moments[at + 1]
    if (until === undefined) break
    const then = rows.filter((row) => row.since <= since && since < row.until)
    if (await retryUntilLoaded(() => holds(core, then, first, to, wanted)))
      spans.push({ since, until })
    await slices.turn()
  }
  return spans
}

function extentsWithin(core: Core, ino: number, from: number, to: number): Lasting[] {
  // Extents do not cross chunk borders.
  const gte = [ino, Math.floor(from / CHUNK_BYTES) * CHUNK_BYTES]
  const range = { gte, lt: [ino, to], limit: ALL }
  const now = core.overlay
    .scan(extent, range)
    .map((row) => ({ ...row, until: Number.POSITIVE_INFINITY }))
  const rows = [...now, ...core.overlay.scan(extentPast, range).map((row) => ({ ...row }))]
  for (const row of rows) verifyInline(row)
  return rows.sort((a, b) => a.offset - b.offset)
}

/** Damaged content counts as not containing the bytes. */
function holds(
  core: Core,
  rows: readonly Lasting[],
  from: number,
  to: number,
  { text, chunks }: Wanted,
): boolean {
  const last = rows[rows.length - 1]
  const end = last === undefined ? 0 : Math.min(to, last.offset + last.length)
  if (end <= from) return false
  const parts: Uint8Array[] = []
  try {
    readExtents(core, rows, from, end, parts)
  } catch (error) {
    if (!(error instanceof FsError)) throw error
    return false
  }
  const [only] = parts
  const bytes =
    only !== undefined && parts.length === 1
      ? Buffer.from(only.buffer, only.byteOffset, only.length)
      : Buffer.concat(parts)
  const isWhole = chunks.size > 0 && end === to && bytes.length >= CHUNK_BYTES
  if (isWhole && chunks.has(hashOf(bytes.subarray(-CHUNK_BYTES)))) return true
  return text.length > 0 && bytes.indexOf(text) >= 0
}
