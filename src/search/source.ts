// What the indexer reads of a vault: paths, versions and their bytes, of what is durable alone. An
// index must not know what a crash may take back: the numbers of inodes and versions would be given
// again, to other things.

import { FsError } from '../base/errno.ts'
import { PATH_BYTES_MAX } from '../base/limits.ts'
import { isDirectory, isRegular } from '../base/mode.ts'
import {
  CREATED,
  entry,
  inodePast,
  inode as inodes,
  PROVISIONAL,
  version,
} from '../store/collections.ts'
import { retryUntilLoaded } from '../store/retry.ts'
import type { Store } from '../store/store.ts'
import type { Core } from '../vault/core/core.ts'
import { ROOT_INO } from '../vault/core/inode.ts'
import { walkRows } from '../vault/core/rows.ts'
import type { Slices } from '../vault/core/time-slices.ts'
import { inodeAt, readAt } from '../vault/history/timeline.ts'
import { hasByte } from './extract.ts'

/** Bytes read in one step: a few milliseconds at most. */
const PIECE_BYTES = 256 * 1024
/** The kernel gives times by the clock that moments are told by, but for this. */
const SLACK_SECONDS = 2

/** An inode with a name, now or before it was deleted. */
interface Named {
  readonly path: string
  readonly isFile: boolean
}

/** Paths of directories, as long as nobody else could change something. */
export type KnownPaths = Map<number, string>

interface Place {
  readonly parent: number
  readonly name: string
}

const PLACE = ['ino', 'mode', 'parent', 'name', 'since'] as const

function presentRow(store: Store, ino: number) {
  return store.project(inodes, PLACE, { gte: [ino], lt: [ino + 1], limit: 1 })[0]
}

function lastRow(store: Store, ino: number) {
  const range = { gte: [ino], lt: [ino + 1], reverse: true, limit: 1 }
  return store.project(inodePast, [...PLACE, 'until'], range)[0]
}

/** What an inode is, or was last; undefined for the root and for what nothing is known of. */
export function nameOf(store: Store, ino: number, known: KnownPaths): Named | undefined {
  if (ino === ROOT_INO) return undefined
  const present = presentRow(store, ino)
  if (present !== undefined)
    return { path: pathOf(store, present, known), isFile: isRegular(present.mode) }
  const last = lastRow(store, ino)
  if (last === undefined || last.name === '') return undefined
  // As it was when it was deleted: directories that were moved later did not take it along.
  const moment = last.until === PROVISIONAL ? last.since : last.until - 1
  return {
    path: `${directoryThen(store, last.parent, moment)}/${last.name}`,
    isFile: isRegular(last.mode),
  }
}

/** The path of a name as it is now. */
export function pathOf(store: Store, { parent, name }: Place, known: KnownPaths): string {
  return `${directoryNow(store, parent, known)}/${name}`
}

function directoryNow(store: Store, ino: number, known: KnownPaths): string {
  const path = climb(
    ino,
    (directory) => presentRow(store, directory) ?? lastRow(store, directory),
    known,
  )
  if (ino !== ROOT_INO) known.set(ino, path)
  return path
}

function directoryThen(store: Store, ino: number, moment: number): string {
  return climb(ino, (directory) => {
    const present = presentRow(store, directory)
    if (present !== undefined && present.since <= moment) return present
    const range = { gte: [directory], lt: [directory, moment + 1], reverse: true, limit: 1 }
    const [then] = store.project(inodePast, [...PLACE, 'until'], range)
    if (then !== undefined && then.until > moment) return then
    // Its state of then was pruned.
    return present ?? lastRow(store, directory)
  })
}

/**
 * The path of a directory without a slash behind it; of one that nobody knows only what is below
 * it. Of a path longer than a system call takes the end alone is searched: the paths of a line of
 * directories are together as long as its square.
 */
function climb(
  ino: number,
  placeOf: (ino: number) => Place | undefined,
  known?: KnownPaths,
): string {
  const names: string[] = []
  let bytes = 0
  let above = ''
  for (let directory = ino; directory !== ROOT_INO && bytes < PATH_BYTES_MAX; ) {
    const before = known?.get(directory)
    const place = before === undefined ? placeOf(directory) : undefined
    above = before ?? ''
    if (place === undefined) break
    names.push(place.name)
    bytes += place.name.length + 1
    directory = place.parent
  }
  const path =
    above +
    names
      .reverse()
      .map((name) => `/${name}`)
      .join('')
  return path.length <= PATH_BYTES_MAX
    ? path
    : path.slice(path.indexOf('/', path.length - PATH_BYTES_MAX))
}

export interface SealedVersion {
  readonly number: number
  readonly moment: number
  readonly size: number
}

/** Versions of a file below a number, newest first, at most `limit`. */
export function versionsBelow(
  store: Store,
  ino: number,
  below: number,
  limit: number,
): SealedVersion[] {
  return store.project(version, ['ino', 'number', 'moment', 'size'], {
    gte: [ino],
    lt: [ino, below],
    reverse: true,
    limit,
  })
}

/**
 * The bytes of a version, which are read into memory of its size; undefined when they cannot be
 * read, or when `isWanted` does not like the first of them.
 */
export async function bytesOf(
  core: Core,
  ino: number,
  { moment, size }: Pick<SealedVersion, 'moment' | 'size'>,
  isWanted: (head: Uint8Array) => boolean,
  step: <T>(work: () => T) => Promise<T>,
  bytes = new Uint8Array(size),
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  return await ifSound(async () => {
    for (let offset = 0; offset < size; offset += PIECE_BYTES) {
      const piece = bytes.subarray(offset, offset + PIECE_BYTES)
      const from = offset
      const isThere = await step(() => copyPiece(core, ino, moment, piece, from))
      if (!isThere || (offset === 0 && !isWanted(piece))) return undefined
    }
    return bytes
  })
}

/** The bytes of a version from a place to another; undefined when they cannot be read. */
export async function bytesBetween(
  core: Core,
  ino: number,
  { moment }: SealedVersion,
  from: number,
  to: number,
  step: <T>(work: () => T) => Promise<T>,
): Promise<Buffer | undefined> {
  const bytes = Buffer.allocUnsafe(to - from)
  return await ifSound(async () => {
    for (let offset = from; offset < to; offset += PIECE_BYTES) {
      const piece = bytes.subarray(offset - from, offset - from + PIECE_BYTES)
      const place = offset
      if (!(await step(() => copyPiece(core, ino, moment, piece, place)))) return undefined
    }
    return bytes
  })
}

/** What was read, undefined where it is damaged: that was logged by whoever read it. */
export async function ifSound<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof FsError) return undefined
    throw error
  }
}

/**
 * A first look, so that large files that are none need not be read whole: text has no NUL, but in
 * UTF-16.
 */
export function mayBeText(head: Uint8Array): boolean {
  const isUtf16 = (head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff)
  return isUtf16 || !hasByte(head, 0)
}

function copyPiece(
  core: Core,
  ino: number,
  moment: number,
  into: Uint8Array,
  from: number,
): boolean {
  const row = inodeAt(core, ino, moment)
  if (row === undefined) return false
  let filled = 0
  for (const part of readAt(core, row, moment, from, into.length)) {
    into.set(part, filled)
    filled += part.length
  }
  return filled === into.length
}

/**
 * Every inode that is there and may have changed after a moment, found by a walk over all. Where
 * changes leave no trace `since` does not tell, but the time of the change does. `moved` is told of
 * directories that have another path.
 */
export async function* changedSince(
  core: Core,
  moment: number,
  slices: Slices,
  moved: (ino: number) => void,
): AsyncGenerator<number> {
  const { store } = core.overlay
  const fields = ['ino', 'mode', 'parent', 'name', 'since', 'ctime'] as const
  const seconds = core.moments.steps.earliestFrom(moment) / 1e6 - SLACK_SECONDS
  for await (const row of walkRows(store, inodes, fields, {}, slices)) {
    if (row.since <= moment && row.ctime < seconds) continue
    const isMoved =
      moment > 0 &&
      isDirectory(row.mode) &&
      (await retryUntilLoaded(() => wasMoved(store, row, moment)))
    if (isMoved) moved(row.ino)
    yield row.ino
  }
}

/** Every inode that went away after a moment. */
export async function* goneSince(
  core: Core,
  moment: number,
  slices: Slices,
): AsyncGenerator<number> {
  const { store } = core.overlay
  let last = 0
  const times = ['ino', 'since', 'until'] as const
  for await (const { ino, until } of walkRows(store, inodePast, times, {}, slices)) {
    if (until <= moment || ino === last) continue
    last = ino
    const isGone = (await retryUntilLoaded(() => presentRow(store, ino))) === undefined
    if (isGone) yield ino
  }
}

function wasMoved(store: Store, { parent, name }: Place, moment: number): boolean {
  const row = store.get(entry, [parent, name])
  return row !== undefined && row.since > moment && row.origin !== CREATED
}

/** Every inode below a directory as it is now. */
export async function* inodesBelow(
  core: Core,
  directory: number,
  slices: Slices,
): AsyncGenerator<number> {
  const { store } = core.overlay
  const waiting = [directory]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const range = { gte: [next], lt: [next + 1] }
    const fields = ['parent', 'name', 'ino', 'type'] as const
    for await (const { ino, type } of walkRows(store, entry, fields, range, slices)) {
      yield ino
      if (isDirectory(type << 12)) waiting.push(ino)
    }
    await slices.turn()
  }
}

/**
 * All that the vault knows: each inode with its versions, for a look at what the index has beyond
 * that.
 */
export async function* versionsByInode(
  core: Core,
  slices: Slices,
): AsyncGenerator<{ ino: number; numbers: number[] }> {
  let current = { ino: 0, numbers: [] as number[] }
  const rows = walkRows(core.overlay.store, version, ['ino', 'number'], {}, slices)
  for await (const { ino, number } of rows) {
    if (ino !== current.ino) {
      if (current.ino !== 0) yield current
      current = { ino, numbers: [] }
    }
    current.numbers.push(number)
  }
  if (current.ino !== 0) yield current
}

/** Numbers below `end` that are of no inode, now or before. */
export async function* unknownInodes(
  core: Core,
  end: number,
  slices: Slices,
): AsyncGenerator<number> {
  const { store } = core.overlay
  let next = ROOT_INO + 1
  const present = numbersOf(walkRows(store, inodes, ['ino'], {}, slices))
  const past = numbersOf(walkRows(store, inodePast, ['ino', 'since'], {}, slices))
  let [a, b] = [await present.next(), await past.next()]
  while (next < end) {
    const ino = Math.min(a.done === true ? end : a.value, b.done === true ? end : b.value)
    for (; next < Math.min(ino, end); next++) yield next
    next = Math.max(next, ino + 1)
    if (a.done !== true && a.value <= ino) a = await present.next()
    if (b.done !== true && b.value <= ino) b = await past.next()
  }
}

async function* numbersOf(
  rows: AsyncGenerator<{ ino: number }>,
): AsyncGenerator<number, undefined> {
  let last = 0
  for await (const { ino } of rows) {
    if (ino === last) continue
    last = ino
    yield ino
  }
  return undefined
}
