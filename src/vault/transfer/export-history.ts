// Exports everything besides the present tree as file records: a directory .avfs-history with
// rows/NNNNN.jsonl, the content they refer to in blocks/ab/HASH, and manifest.json last. So it fits
// into any archive format. docs/export.md has the layout.

import { createHash, type Hash } from 'node:crypto'
import {
  type EntryHead,
  entryRecord,
  leaveRecord,
  plainHead,
  WHOLE,
} from '../../archive/records.ts'
import { S_IFDIR, S_IFREG } from '../../base/mode.ts'
import { block, collections } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Store } from '../../store/store.ts'
import { hexOf, unpackBlock } from '../core/blocks.ts'
import { everyRow } from '../core/rows.ts'
import { ROW_FORMAT, readCounters } from '../core/settings.ts'
import { HISTORY_FORMAT, HISTORY_NAME, isOwn, lineOf, type Manifest } from './history-rows.ts'

interface HistoryOptions {
  /** The id of the directory that it goes into, and the next free id. */
  readonly parent: number
  readonly firstId: number
  send(piece: Buffer): Promise<void> | void
  problem(path: string, message: string): void
}

const FILE_BYTES = 4 * 1024 * 1024
/** Rows that may hold content: pages are small. */
const PAGE_ROWS = 64

interface Run {
  readonly options: HistoryOptions
  readonly head: EntryHead
  lastId: number
}

/** Sends the history of a view. */
export async function exportHistory(view: Store, options: HistoryOptions): Promise<void> {
  const run: Run = {
    options,
    head: plainHead(Math.floor(Date.now() / 1000)),
    lastId: options.firstId,
  }
  const top = await sendDirectory(run, options.parent, HISTORY_NAME)
  const blocks = await sendBlocks(run, view, top)
  const rows = await sendRows(run, view, top)
  const { moment } = await retryUntilLoaded(() => readCounters(view))
  const format = { format: HISTORY_FORMAT, rowFormat: ROW_FORMAT }
  const manifest: Manifest = { ...format, moment, blocks, rows }
  await sendFile(run, top, 'manifest.json', Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`))
  await options.send(leaveRecord(top))
}

async function sendBlocks(run: Run, view: Store, top: number): Promise<number> {
  const id = await sendDirectory(run, top, 'blocks')
  let [count, prefix, below] = [0, '', 0]
  // In order of hashes, so that each directory is filled once.
  for await (const row of everyRow(view, block, PAGE_ROWS)) {
    const name = hexOf(row.hash)
    try {
      const bytes = unpackBlock(row)
      if (name.slice(0, 2) !== prefix) {
        if (prefix !== '') await run.options.send(leaveRecord(below))
        prefix = name.slice(0, 2)
        below = await sendDirectory(run, id, prefix)
      }
      await sendFile(run, below, name, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
      count++
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'StoreError') throw error
      run.options.problem(`/${HISTORY_NAME}/blocks/${name}`, error.message)
    }
  }
  if (prefix !== '') await run.options.send(leaveRecord(below))
  await run.options.send(leaveRecord(id))
  return count
}

async function sendRows(run: Run, view: Store, top: number): Promise<Manifest['rows']> {
  const id = await sendDirectory(run, top, 'rows')
  const counts: Record<string, { count: number; sha256: string }> = {}
  let [lines, bytes, file]: [string[], number, number] = [[], 0, 0]
  const flush = async (): Promise<void> => {
    if (lines.length === 0) return
    const name = `${String(++file).padStart(5, '0')}.jsonl`
    await sendFile(run, id, name, Buffer.from(lines.join('')))
    lines = []
    bytes = 0
  }
  for (const collection of collections) {
    if ((collection as unknown) === block) continue
    const hash: Hash = createHash('sha256')
    let count = 0
    for await (const row of everyRow(view, collection)) {
      if (isOwn(collection, row)) continue
      const line = `${lineOf(collection, row)}\n`
      hash.update(line)
      lines.push(line)
      bytes += line.length
      count++
      if (bytes >= FILE_BYTES) await flush()
    }
    counts[collection.name] = { count, sha256: hash.digest('hex') }
  }
  await flush()
  await run.options.send(leaveRecord(id))
  return counts
}

async function sendDirectory(run: Run, parent: number, name: string): Promise<number> {
  const id = ++run.lastId
  await run.options.send(entryRecord({ ...run.head, parent, id, mode: S_IFDIR | 0o700 }, name, []))
  return id
}

async function sendFile(run: Run, parent: number, name: string, bytes: Buffer): Promise<void> {
  const head = { ...run.head, parent, flags: WHOLE, mode: S_IFREG | 0o600, size: bytes.length }
  await run.options.send(entryRecord(head, name, [], [bytes]))
}
