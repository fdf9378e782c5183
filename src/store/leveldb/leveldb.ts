// The LevelDB engine, by classic-level: a vault is a folder. Gets are synchronous; walks are not,
// so ranges come from a RangeCache or throw Fault. Another thread writes batches, one at a time,
// and syncs the log.
//
// After a failed write (a full disk), LevelDB must be reopened before it writes again: the end of
// its log is undefined then.

import { readdirSync, statfsSync, statSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { log } from '../../base/log.ts'
import type { Group, KvEngine, KvOpenOptions, KvRange, KvView } from '../kv/engine.ts'
import { type GroupChange, RangeCache } from '../kv/range-cache.ts'
import { Fault, StoreError, type StoreStats } from '../store.ts'
import { assertOurs, storeErrorOf } from './errors.ts'
import { FolderNames } from './folder-names.ts'
import { guardLogs, logFindings } from './log.ts'
import { tableFiles, takeBackUnsynced } from './manifest.ts'
import { fetchStretch, getFrom, type Level, LevelView } from './reading.ts'
import { verifyTable } from './table.ts'

/** The share of the read memory that LevelDB uses for its tables; the rest is for ranges. */
const TABLE_SHARE = 0.5
const WRITE_BUFFER_BYTES = 8 * 1024 * 1024
/** Disk space needed to reopen, which writes the contents of the log to a table. */
const REOPEN_BYTES = 2 * WRITE_BUFFER_BYTES
/** Every LevelDB database has a file of this name. */
const CURRENT = 'CURRENT'
/** First byte of keys above every group. */
const KEYS_END = 255
/** A u8 group, a u8 kind and the two lengths: engine.ts. */
const HEAD_BYTES = 10

/** Opens the folder at a path; see KvOpenOptions. */
export async function openLevel(path: string, options: KvOpenOptions): Promise<KvEngine> {
  const exists = statSync(join(path, CURRENT), { throwIfNoEntry: false }) !== undefined
  if (!options.create && !exists) throw new StoreError('io', `there is no vault at ${path}`)
  // An existing one is opened: KvStore finds out whether it has rows.
  if (!exists) {
    await mkdir(path, { recursive: true })
    assertOurs(path, await readdir(path))
  }
  await guardLogs(path, options.readOnly)
  const cacheBytes = Math.floor(options.cacheBytes * TABLE_SHARE)
  const level = await openSound(path, cacheBytes, options.create)
  return new LevelEngine(path, level, cacheBytes, options.readOnly)
}

/** After a power cut LevelDB may have to be reverted to what it had synced. */
async function openSound(path: string, cacheBytes: number, create: boolean): Promise<Level> {
  try {
    return await openFolder(path, cacheBytes, create)
  } catch (error) {
    if (!(error instanceof StoreError) || !/missing files/.test(error.message)) throw error
    if (!(await takeBackUnsynced(path))) throw error
    log('warn', `took back what a power cut had left of unfinished work in ${path}`)
    return await openFolder(path, cacheBytes, create)
  }
}

async function openFolder(path: string, cacheBytes: number, create: boolean): Promise<Level> {
  const level: Level = new ClassicLevel(path, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    createIfMissing: create,
    cacheSize: cacheBytes,
    writeBufferSize: WRITE_BUFFER_BYTES,
  })
  try {
    await level.open()
    return level
  } catch (error) {
    throw storeErrorOf(error)
  }
}

class LevelEngine implements KvEngine {
  readonly traits = {
    backend: 'leveldb',
    synchronous: false,
    persistent: true,
    compresses: true,
    compactsOnline: true,
    // LevelDB stores key lengths in 32 bits; no key comes near this limit.
    keyBytesMax: 1_000_000,
    durability: 'log, one fdatasync a commit, and one of the folder for a new log',
    growth: 2,
    reserveBytes: 64 * 1024 * 1024,
  }
  readonly #path: string
  readonly #cacheBytes: number
  readonly #readOnly: boolean
  #level: Level
  readonly #ranges: RangeCache
  readonly #names: FolderNames
  readonly #views = new Set<LevelView>()
  #last: Promise<void> = Promise.resolve()
  #mustReopen = false
  /** Resolves when the reopening ends; nothing can be read until then. */
  #reopening: Promise<void> | undefined
  #closing: Promise<void> | undefined

  constructor(path: string, level: Level, cacheBytes: number, readOnly: boolean) {
    this.#path = path
    this.#level = level
    this.#cacheBytes = cacheBytes
    this.#readOnly = readOnly
    this.#names = new FolderNames(path)
    this.#ranges = new RangeCache(
      (range) => fetchStretch(this.#level, undefined, range),
      cacheBytes,
    )
  }

  get(group: Group, key: Uint8Array): Uint8Array | undefined {
    this.#assertReadable()
    return getFrom(this.#level, undefined, group, key)
  }

  range(range: KvRange): Uint8Array {
    this.#assertReadable()
    return this.#ranges.read(range)
  }

  async write(changes: Uint8Array, length: number): Promise<void> {
    this.#assertOpen()
    if (this.#readOnly) throw new StoreError('locked', 'the vault is open for reading only')
    // One at a time, so that a walk sees each batch whole or not at all, and never a batch without
    // those before it.
    const batch = Uint8Array.from(changes.subarray(0, length))
    const written = this.#last.then(() => this.#write(batch))
    this.#last = written.catch(() => undefined)
    return written
  }

  async #write(batch: Uint8Array): Promise<void> {
    if (this.#mustReopen) await this.#reopen()
    const changes = [...changesOf(batch)]
    try {
      await this.#level.batch(
        changes.map(({ whole: key, value }) =>
          value === undefined ? { type: 'del', key } : { type: 'put', key, value },
        ),
        { sync: true },
      )
      await this.#names.sync()
    } catch (error) {
      this.#mustReopen = true
      throw storeErrorOf(error)
    }
    this.#ranges.apply(changes)
  }

  async #reopen(): Promise<void> {
    const { bavail, bsize } = statfsSync(this.#path)
    // If it were closed and could not be reopened, the vault could not even be read.
    if (bavail * bsize < REOPEN_BYTES) throw new StoreError('full', 'the disk is full')
    this.#reopening ??= this.#openAnew().finally(() => {
      this.#reopening = undefined
    })
    await this.#reopening
  }

  async #openAnew(): Promise<void> {
    for (const view of this.#views) await view.close()
    await this.#level.close()
    this.#level = await openFolder(this.#path, this.#cacheBytes, false)
    this.#mustReopen = false
  }

  async view(): Promise<KvView> {
    this.#assertReadable()
    const view = new LevelView(this.#level, this.#cacheBytes, () => this.#views.delete(view))
    this.#views.add(view)
    return view
  }

  stats(): StoreStats {
    this.#assertOpen()
    const names = readdirSync(this.#path)
    const sizes = names.map((name) => sizeOf(join(this.#path, name)))
    return {
      bytes: sizes.reduce((sum, size) => sum + size, 0),
      engine: { files: names.length, ...levelsOf(this.#level) },
    }
  }

  async compact(): Promise<void> {
    this.#assertOpen()
    if (this.#readOnly) throw new StoreError('locked', 'the vault is open for reading only')
    await this.#compactAll()
    // Tables of the lowest level are rewritten only if one above overlaps them: write one that
    // spans all keys.
    const fence = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, KEYS_END - 1, ...new Uint8Array(9)])
    await this.write(fence, fence.length)
    await this.#compactAll()
  }

  async #compactAll(): Promise<void> {
    try {
      await this.#level.compactRange(Uint8Array.of(0), Uint8Array.of(KEYS_END))
    } catch (error) {
      throw storeErrorOf(error)
    }
  }

  async verify(): Promise<string[]> {
    this.#assertOpen()
    const findings = logFindings(this.#path)
    for (const name of await tableFiles(this.#path))
      findings.push(...(await verifyTable(join(this.#path, name))))
    return findings
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#last
    for (const view of this.#views) await view.close()
    // Moves the log's contents to a table, where checksums reveal damage anywhere, even at the end.
    // If that fails, they stay in the log.
    const beyond = Uint8Array.of(KEYS_END)
    if (!this.#readOnly) await this.#level.compactRange(beyond, beyond).catch(() => undefined)
    await this.#level.close()
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new StoreError('closed', 'the vault is closed')
  }

  #assertReadable(): void {
    this.#assertOpen()
    const reopening = this.#reopening
    if (reopening !== undefined) throw new Fault(() => reopening)
  }
}

/** `whole`: the key with its group in front, as LevelDB stores it. */
interface LevelChange extends GroupChange {
  readonly whole: Uint8Array
}

/** The changes of a batch that this function may overwrite; see engine.ts. */
function* changesOf(batch: Uint8Array): Generator<LevelChange> {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength)
  for (let at = 0; at < batch.length; ) {
    const group = view.getUint8(at) as Group
    const isPut = view.getUint8(at + 1) === 1
    const start = at + HEAD_BYTES
    const middle = start + view.getUint32(at + 2, true)
    const end = middle + view.getUint32(at + 6, true)
    // Puts the group right before the key, over a length that has been read.
    batch[start - 1] = group
    yield {
      group,
      whole: batch.subarray(start - 1, middle),
      key: batch.subarray(start, middle),
      value: isPut ? batch.subarray(middle, end) : undefined,
    }
    at = end
  }
}

/** Number of files and megabytes of each level that is not empty, as reported by LevelDB. */
function levelsOf(level: Level): Record<string, number> {
  const figures: Record<string, number> = {}
  for (const line of level.getProperty('leveldb.stats').split('\n')) {
    const [, name, files, megabytes] = /^\s*(\d+)\s+(\d+)\s+(\d+)/.exec(line) ?? []
    if (name === undefined) continue
    figures[`level${name}Files`] = Number(files)
    figures[`level${name}Megabytes`] = Number(megabytes)
  }
  return figures
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
