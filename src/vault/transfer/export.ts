// Sends a tree of the vault as of one moment as records (src/archive/records.ts). Reads only, and
// other work runs in between: later changes do not show. Walks names depth first, so that a
// directory is left when everything below it was sent.

import { setImmediate } from 'node:timers/promises'
import {
  type Attribute,
  DATA_BYTES_MAX,
  dataRecord,
  type EntryHead,
  endRecord,
  entryRecord,
  FAILED,
  LINK,
  leaveRecord,
  SPARSE,
  WHOLE,
  WHOLE_BYTES_MAX,
} from '../../archive/records.ts'
import { ELOOP, errnoName, FsError } from '../../base/errno.ts'
import { CHUNK_BYTES } from '../../base/limits.ts'
import { isDirectory, isRegular, isSymlink } from '../../base/mode.ts'
import type { InodeRow } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Core } from '../core/core.ts'
import { type MeetingCheck, meetingCheck } from '../core/cycles.ts'
import type { Moment } from '../core/moment.ts'
import { eachExtents } from '../history/restore-content.ts'
import { entriesAt, inodeAt, readAt, xattrsAt } from '../history/timeline.ts'

interface ExportOptions {
  /** Also send what is below a directory. */
  readonly recursive: boolean
  /** Sends more into the top directory before it is left; ids from `nextId` on are free. */
  readonly beside?: ((parent: number, nextId: number) => Promise<void>) | undefined
  /** Takes ownership of a piece of the stream. */
  send(piece: Buffer): Promise<void> | void
  problem(path: string, message: string): void
  progress(files: number, bytes: number): void
}

export interface ExportReport {
  directories: number
  files: number
  bytes: number
}

interface Run {
  readonly core: Core
  readonly moment: Moment
  readonly options: ExportOptions
  readonly report: ExportReport
  /**
   * Files that were sent. For a past moment all are noted, since a past link count cannot tell: a
   * name exists at once, but the row that counts it only when the file is sealed.
   */
  readonly sent: Set<number>
  readonly isNew: MeetingCheck
  readonly isPresent: boolean
  pieces: Buffer[]
  pieceBytes: number
  lastId: number
  until: number
}

const PIECE_BYTES = 512 * 1024
const PAGE_NAMES = 1000
const SLICE_MS = 4
/** A file with more runs of data is sent without a map of them. */
const RUNS_MAX = 100_000

/**
 * Sends inode `row` as it was at `moment`: an ENTRY with parent 0 and no name, then what is below
 * it. Rejects with what `send` rejects with.
 */
export async function exportTree(
  core: Core,
  row: InodeRow,
  moment: Moment,
  options: ExportOptions,
): Promise<ExportReport> {
  const report: ExportReport = { directories: 0, files: 0, bytes: 0 }
  const run: Run = {
    core,
    moment,
    options,
    report,
    sent: new Set(),
    isNew: meetingCheck(row.ino),
    isPresent: moment >= core.moments.last,
    pieces: [],
    pieceBytes: 0,
    lastId: 0,
    until: performance.now() + SLICE_MS,
  }
  core.moments.observe()
  await sendNode(run, row, 0, '', '')
  await flush(run)
  return report
}

async function sendNode(
  run: Run,
  row: InodeRow,
  parent: number,
  name: string,
  path: string,
): Promise<void> {
  const isNamedDirectory = isDirectory(row.mode)
  if (isNamedDirectory) await sendDirectory(run, row, parent, name, path)
  else await sendFile(run, row, parent, name, path)
  run.options.progress(run.report.files + run.report.directories, run.report.bytes)
}

async function sendDirectory(
  run: Run,
  row: InodeRow,
  parent: number,
  name: string,
  path: string,
): Promise<void> {
  const { core, moment, options, report } = run
  const id = ++run.lastId
  const head = headOf(run, row, parent, id, 0)
  push(run, await retryUntilLoaded(() => entryRecord(head, name, attributesOf(run, row))))
  report.directories++
  for (let after: string | undefined; options.recursive; ) {
    const last = after
    const entries = await retryUntilLoaded(() => entriesAt(core, row.ino, moment, last, PAGE_NAMES))
    for (const its of entries) {
      const found = await retryUntilLoaded(() => inodeAt(core, its.ino, moment))
      const below = `${path}/${its.name}`
      if (found !== undefined && isDirectory(found.mode) && !run.isNew(found, row.ino, its.name))
        options.problem(below, errnoName(ELOOP))
      else if (found !== undefined) await sendNode(run, { ...found }, id, its.name, below)
      const turn = rest(run)
      if (turn !== undefined) await turn
    }
    if (entries.length < PAGE_NAMES) break
    after = entries[entries.length - 1]?.name
  }
  if (parent === 0 && options.beside !== undefined) {
    await flush(run)
    await options.beside(id, run.lastId + 1)
  }
  push(run, leaveRecord(id))
}

async function sendFile(
  run: Run,
  row: InodeRow,
  parent: number,
  name: string,
  path: string,
): Promise<void> {
  const { core, moment, options, report, sent } = run
  report.files++
  const isNoted = !run.isPresent || row.nlink > 1
  if (isNoted && sent.has(row.ino)) {
    push(run, entryRecord(headOf(run, row, parent, 0, LINK), name, []))
    return
  }
  if (isNoted) sent.add(row.ino)
  const hasBytes = isRegular(row.mode) || isSymlink(row.mode)
  const isFull = !isRegular(row.mode) || row.allocated >= row.size
  if (hasBytes && isFull && row.size <= WHOLE_BYTES_MAX) {
    try {
      const head = headOf(run, row, parent, 0, WHOLE)
      push(
        run,
        await retryUntilLoaded(() => {
          const attributes = attributesOf(run, row)
          return entryRecord(head, name, attributes, readAt(core, row, moment, 0, row.size))
        }),
      )
      report.bytes += row.size
    } catch (error) {
      if (!(error instanceof FsError)) throw error
      options.problem(path, errnoName(error.errno))
    }
  } else if (!hasBytes) {
    const head = headOf(run, row, parent, 0, WHOLE)
    push(run, await retryUntilLoaded(() => entryRecord(head, name, attributesOf(run, row))))
  } else await sendContent(run, row, parent, name, path, isFull)
}

async function sendContent(
  run: Run,
  row: InodeRow,
  parent: number,
  name: string,
  path: string,
  isFull: boolean,
): Promise<void> {
  const { core, moment, options, report } = run
  const id = ++run.lastId
  const map = isFull ? undefined : await mapOf(run, row)
  const head = headOf(run, row, parent, id, map === undefined ? 0 : SPARSE)
  const content = map === undefined ? [] : [map]
  push(run, await retryUntilLoaded(() => entryRecord(head, name, attributesOf(run, row), content)))
  try {
    for await (const [from, to] of runsOf(core, row, moment))
      for (let at = from; at < to; ) {
        const length = Math.min(DATA_BYTES_MAX, to - at)
        const offset = at
        const read = (): Buffer => dataRecord(id, offset, readAt(core, row, moment, offset, length))
        push(run, await retryUntilLoaded(read))
        report.bytes += length
        at += length
        await flush(run)
        const turn = rest(run)
        if (turn !== undefined) await turn
        options.progress(report.files + report.directories, report.bytes)
      }
    push(run, endRecord(id, row.size, 0))
  } catch (error) {
    if (!(error instanceof FsError)) throw error
    options.problem(path, errnoName(error.errno))
    push(run, endRecord(id, row.size, FAILED))
  }
}

/** Ranges that hold data, in order; adjacent ones are merged, up to some MiB. */
async function* runsOf(
  core: Core,
  row: InodeRow,
  moment: Moment,
): AsyncGenerator<[number, number]> {
  let from = 0
  let to = 0
  for await (const rows of eachExtents(core, row, moment))
    for (const extent of rows) {
      const end = Math.min(extent.offset + extent.length, row.size)
      // In damaged rows extents may overlap.
      const start = Math.max(extent.offset, to)
      if (end <= start) continue
      if (start === to && to - from < 64 * CHUNK_BYTES) {
        to = end
        continue
      }
      if (to > from) yield [from, to]
      from = start
      to = end
    }
  if (to > from) yield [from, to]
}

/** The content of a SPARSE record; undefined for a file with too many runs. */
async function mapOf(run: Run, row: InodeRow): Promise<Buffer | undefined> {
  const runs: [number, number][] = []
  for await (const [from, to] of runsOf(run.core, row, run.moment)) {
    const last = runs[runs.length - 1]
    if (last !== undefined && last[1] === from) last[1] = to
    else runs.push([from, to])
    if (runs.length > RUNS_MAX) return undefined
    const turn = rest(run)
    if (turn !== undefined) await turn
  }
  const map = Buffer.alloc(runs.length * 16)
  runs.forEach(([from, to], at) => {
    map.writeDoubleLE(from, at * 16)
    map.writeDoubleLE(to - from, at * 16 + 8)
  })
  return map
}

function headOf(run: Run, row: InodeRow, parent: number, id: number, flags: number): EntryHead {
  const { mode, uid, gid, rdev, mtime, mtimeNs, atime, atimeNs } = row
  const size = isDirectory(mode) ? 0 : row.size
  // For a past moment, every file may have more names.
  const nlink = run.isPresent || isDirectory(mode) ? row.nlink : Math.max(2, row.nlink)
  const key = String(row.ino)
  return {
    flags,
    parent,
    id,
    mode,
    uid,
    gid,
    nlink,
    rdev,
    size,
    mtime,
    mtimeNs,
    atime,
    atimeNs,
    key,
  }
}

function attributesOf(run: Run, row: InodeRow): Attribute[] {
  if (run.isPresent && row.xattrs === 0 && row.tags === 0) return []
  return [...xattrsAt(run.core, row.ino, run.moment)].map(([name, value]) => ({ name, value }))
}

function push(run: Run, record: Buffer): void {
  run.pieces.push(record)
  run.pieceBytes += record.length
}

function rest(run: Run): Promise<void> | undefined {
  if (run.pieceBytes >= PIECE_BYTES) return flush(run)
  if (performance.now() < run.until) return undefined
  return pause(run)
}

async function pause(run: Run): Promise<void> {
  await setImmediate()
  run.until = performance.now() + SLICE_MS
}

async function flush(run: Run): Promise<void> {
  if (run.pieceBytes === 0) return
  const { pieces } = run
  const piece = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces)
  run.pieces = []
  run.pieceBytes = 0
  await run.options.send(piece)
}
