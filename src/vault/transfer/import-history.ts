// Imports the files of an exported history (export-history.ts) as rows of a new store, in any
// order. `finish` checks everything against the manifest; until then the store is not a usable
// vault.

import { createHash, type Hash } from 'node:crypto'
import {
  block,
  type Collection,
  collections,
  type SettingRow,
  setting,
} from '../../store/collections.ts'
import type { Changes, Store } from '../../store/store.ts'
import { hashOf } from '../core/blocks.ts'
import { everyRow } from '../core/rows.ts'
import { parsedSetting, ROW_FORMAT } from '../core/settings.ts'
import {
  HISTORY_FORMAT,
  isOwn,
  isOwnSetting,
  lineOf,
  type Manifest,
  rowOf,
} from './history-rows.ts'

export interface HistoryImporter {
  /**
   * Takes one file; `path` is relative to .avfs-history. Throws RangeError for an unexpected or
   * invalid file.
   */
  take(path: string, bytes: Buffer): Promise<void>
  /**
   * Checks that everything has arrived. Throws RangeError. Resolves to the numbers of rows and
   * blocks, once they are durable.
   */
  finish(): Promise<{ rows: number; blocks: number }>
}

const BATCH_BYTES = 8 * 1024 * 1024

/** `own`: the settings that identify the new vault. */
export function historyImporter(store: Store, own: readonly SettingRow[]): HistoryImporter {
  const waiting = new Map<Collection<object>, object[]>()
  let bytesWaiting = 0
  let manifest: Manifest | undefined
  let blocks = 0
  let commit: Promise<void> = Promise.resolve()
  const flush = async (): Promise<void> => {
    // One batch is prepared while another is written.
    await commit
    const batch: Changes[] = [...waiting].map(([collection, puts]) => ({
      collection,
      puts,
      deletes: [],
    }))
    waiting.clear()
    bytesWaiting = 0
    if (batch.length > 0) commit = store.commit(batch)
    commit.catch(() => undefined)
  }
  const put = async (collection: Collection<object>, row: object, bytes: number): Promise<void> => {
    const rows = waiting.get(collection)
    if (rows === undefined) waiting.set(collection, [row])
    else rows.push(row)
    bytesWaiting += bytes + 200
    if (bytesWaiting >= BATCH_BYTES) await flush()
  }
  const takeRows = async (bytes: Buffer): Promise<void> => {
    for (const line of bytes.toString('utf8').split('\n')) {
      if (line === '') continue
      const { collection, row } = rowOf(line)
      if (isOwn(collection, row)) continue
      await put(collection, row, line.length)
    }
  }
  const takeBlock = async (path: string, bytes: Buffer): Promise<void> => {
    const hash = Buffer.from(path.slice(path.lastIndexOf('/') + 1), 'hex').toString('latin1')
    if (hash !== hashOf(bytes)) throw new RangeError(`${path} does not hold what its name says`)
    blocks++
    const row = { hash, size: bytes.length, codec: 0, data: new Uint8Array(bytes) }
    await put(block as unknown as Collection<object>, row, bytes.length)
  }
  return {
    async take(path, bytes) {
      if (/^rows\/\d+\.jsonl$/.test(path)) await takeRows(bytes)
      else if (/^blocks\/[0-9a-f]{2}\/[0-9a-f]{64}$/.test(path)) await takeBlock(path, bytes)
      else if (path === 'manifest.json') manifest = manifestOf(bytes)
      else throw new RangeError(`${path} is no part of an exported history`)
    },
    async finish() {
      if (manifest === undefined) throw new RangeError('the history has no manifest.json')
      for (const row of own)
        if (isOwnSetting(row)) await put(setting as unknown as Collection<object>, row, 0)
      await flush()
      await commit
      if (blocks < manifest.blocks)
        throw new RangeError(`${manifest.blocks - blocks} blocks of the history are missing`)
      return { rows: await verify(store, manifest), blocks }
    },
  }
}

function manifestOf(bytes: Buffer): Manifest {
  const manifest = parsedManifest(bytes.toString('utf8'))
  if (manifest === undefined) throw new RangeError('the manifest.json of the history is none')
  if (manifest.format !== HISTORY_FORMAT || !(manifest.rowFormat <= ROW_FORMAT))
    throw new RangeError('the history was exported by a newer avfs: install that')
  return manifest
}

/** Undefined for an invalid manifest. */
function parsedManifest(text: string): Manifest | undefined {
  const { format, rowFormat, moment, blocks, rows } = Object(parsedSetting(text)) as Manifest
  const areNumbers = [format, rowFormat, moment, blocks].every(Number.isSafeInteger)
  if (!areNumbers || typeof rows !== 'object' || rows === null) return undefined
  return { format, rowFormat, moment, blocks, rows }
}

/** Checks that exactly the exported rows are present. Throws RangeError. */
async function verify(store: Store, manifest: Manifest): Promise<number> {
  let rows = 0
  for (const collection of collections) {
    const its = manifest.rows[collection.name]
    if ((collection as unknown) === block) continue
    const hash: Hash = createHash('sha256')
    let count = 0
    for await (const row of everyRow(store, collection)) {
      if (isOwn(collection, row)) continue
      hash.update(`${lineOf(collection, row)}\n`)
      count++
    }
    // The export may be older than a collection.
    if (its === undefined && count === 0) continue
    if (count !== its?.count || hash.digest('hex') !== its.sha256)
      throw new RangeError(`the rows of ${collection.name} are not those that were exported`)
    rows += count
  }
  return rows
}
