// The LMDB engine: a vault is one file, NAME.lmdb, mapped into memory, with LMDB's lock file beside
// it and a database for each group. Reads are synchronous; a thread of the binding writes batches,
// one transaction each, which LMDB syncs before it ends. LMDB never shrinks its file: a compaction
// writes a copy, which then replaces the file.

import { existsSync, mkdirSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs'
import { chmod, open as openFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as lmdb from 'lmdb'
import { EIO } from '../../base/errno.ts'
import type { Group, KvEngine, KvOpenOptions, KvRange, KvView } from '../kv/engine.ts'
import { StoreError, type StoreStats } from '../store.ts'
import { FULL_ADVICE, storeError } from './errors.ts'
import { checkFile, makeLockFile, needRoom } from './file.ts'
import { asTheyAre, type Bytes, getFrom, rangeFrom } from './read.ts'

const GROUP_NAMES = ['rows', 'past', 'blocks']
/** LMDB's limit with pages of 4 KiB. */
const KEY_BYTES_MAX = 1978
/** Two root pages, of which the newer is in use. */
const META_PAGES = 2
const CHANGE_HEAD_BYTES = 10

interface Env {
  readonly root: lmdb.RootDatabase<Buffer, Uint8Array>
  readonly groups: readonly Bytes[]
}

/** 'LMDB 0.9.90' */
export function lmdbVersion(): string {
  const { version } = lmdb as unknown as { version: { versionString: string } }
  return version.versionString.split(':')[0] as string
}

/** Opens NAME.lmdb. There is no cache size to set: the kernel's page cache is the cache. */
export async function openLmdb(path: string, options: KvOpenOptions): Promise<KvEngine> {
  const folder = dirname(path)
  if (!existsSync(folder)) throw new StoreError('io', `there is no folder ${folder}`)
  const size = statSync(path, { throwIfNoEntry: false })?.size
  if (size === undefined && !options.create)
    throw new StoreError('io', `there is no vault at ${path}`)
  if (size === 0 && !options.create) throw new StoreError('format', `${path} is not an avfs vault`)
  if (size === undefined || size === 0) needRoom(folder)
  else checkFile(path, options.readOnly)
  makeLockFile(path, options.readOnly)
  // Leftovers of a compaction that was killed.
  if (!options.readOnly) rmSync(copyFolder(path), { recursive: true, force: true })
  return new Lmdb(path, openEnv(path, options.create, options.readOnly))
}

function openEnv(path: string, create: boolean, readOnly: boolean): Env {
  let root: Env['root'] | undefined
  try {
    // Without overlappingSync a transaction ends only when it is synced, and after a crash the
    // newest one is found again. Without eventTurnBatching, because the promise of those implicit
    // batches is not exposed, so that a failure would go unhandled.
    const durable = { overlappingSync: false, eventTurnBatching: false }
    const file = { path, noSubdir: true, readOnly, permissionsMode: 0o600, ...durable }
    root = lmdb.open<Buffer, Uint8Array>({ ...asTheyAre, ...file })
    const opened = root
    const groups = GROUP_NAMES.map((name) => opened.openDB({ ...asTheyAre, name, create } as never))
    // The binding returns undefined for a database that does not exist.
    if (groups.some((group) => (group as unknown) === undefined))
      throw new StoreError('format', `${path} is not an avfs vault`)
    return { root, groups: groups as unknown as Bytes[] }
  } catch (error) {
    root?.close()
    const told = storeError(error)
    if (told.kind !== 'format') throw told
    throw new StoreError('format', `${path} is not an avfs vault`, { cause: error })
  }
}

/**
 * A folder that only its owner can read, because LMDB would make a copy that everybody can read.
 */
function copyFolder(path: string): string {
  return `${path}.compact`
}

class Lmdb implements KvEngine {
  readonly traits = {
    backend: 'lmdb',
    synchronous: true,
    persistent: true,
    compresses: false,
    compactsOnline: false,
    keyBytesMax: KEY_BYTES_MAX,
    durability: 'copy on write, fdatasync and a synced root page a commit',
    growth: 2,
    reserveBytes: 16 * 1024 * 1024,
  }
  readonly #path: string
  #env: Env
  #views = 0
  #compacting: Promise<void> | undefined

  constructor(path: string, env: Env) {
    this.#path = path
    this.#env = env
  }

  get(group: Group, key: Uint8Array): Uint8Array | undefined {
    return getFrom(this.#env.groups[group] as Bytes, key)
  }

  range(range: KvRange): Uint8Array {
    return rangeFrom(this.#env.groups[range.group] as Bytes, range)
  }

  async write(changes: Uint8Array, length: number): Promise<void> {
    try {
      await this.#put(Buffer.from(changes.buffer, changes.byteOffset, length))
    } catch (error) {
      // The actual reason is in a separate promise.
      const { commitError } = error as { commitError?: Promise<never> }
      const reason = await (commitError ?? Promise.reject(error)).catch((why) => why)
      throw this.#isDiskFull(reason, length)
        ? new StoreError('full', FULL_ADVICE, { cause: reason })
        : storeError(reason)
    }
  }

  /** Writes the changes in one transaction. */
  #put(changes: Buffer): Promise<unknown> {
    const { root, groups } = this.#env
    return root.batch(() => {
      for (let at = 0; at < changes.byteLength; ) {
        const group = groups[changes[at] as number] as Bytes
        const isPut = changes[at + 1] === 1
        const keyEnd = at + CHANGE_HEAD_BYTES + changes.readUInt32LE(at + 2)
        const key = changes.subarray(at + CHANGE_HEAD_BYTES, keyEnd)
        const valueEnd = keyEnd + changes.readUInt32LE(at + 6)
        if (isPut) group.put(key, changes.subarray(keyEnd, valueEnd))
        else group.remove(key)
        at = valueEnd
      }
    })
  }

  /** LMDB reports EIO after a short write on a full disk. */
  #isDiskFull(reason: unknown, bytes: number): boolean {
    if ((reason as { code?: unknown }).code !== EIO) return false
    const { bavail, bsize } = statfsSync(dirname(this.#path))
    return bavail * bsize < bytes
  }

  async view(): Promise<KvView> {
    // No await unless a compaction runs: a compact() requested now must see this view in #views.
    while (this.#compacting !== undefined) await this.#compacting
    const { root, groups } = this.#env
    root.resetReadTxn()
    const transaction = root.useReadTransaction()
    this.#views++
    let closing: Promise<void> | undefined
    const close = async (): Promise<void> => {
      transaction.done()
      this.#views--
    }
    return {
      get: (group, key) => getFrom(groups[group] as Bytes, key, transaction),
      range: (range) => rangeFrom(groups[range.group] as Bytes, range, transaction),
      close: () => (closing ??= close()),
    }
  }

  stats(): StoreStats {
    const file = statSync(this.#path).size
    const groups = this.#env.groups.map((group) => group.getStats() as LmdbStats)
    const { root, free, mapSize, lastPageNumber } = groups[0] as LmdbStats
    const trees = [root, free, ...groups]
    const sum = (of: (tree: TreeStats) => number) => trees.reduce((all, tree) => all + of(tree), 0)
    const pages = lastPageNumber + 1
    const used = sum(
      (tree) => tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages,
    )
    const freePages = pages - META_PAGES - used
    return {
      bytes: file,
      usedBytes: (pages - freePages) * root.pageSize,
      freeBytes: freePages * root.pageSize,
      engine: {
        fileBytes: file,
        pageBytes: root.pageSize,
        pages,
        freePages,
        overflowPages: sum((tree) => tree.overflowPages),
        depth: Math.max(...groups.map((tree) => tree.treeDepth)),
        entries: groups.reduce((all, tree) => all + tree.entryCount, 0),
        mapBytes: mapSize,
        mapUsedBytes: pages * root.pageSize,
      },
    }
  }

  async compact(): Promise<void> {
    if (this.#views > 0)
      throw new StoreError(
        'busy',
        'the vault is being read as a whole; compact it when that is done',
      )
    this.#compacting = this.#copyAndSwap().finally(() => {
      this.#compacting = undefined
    })
    // Those who only wait for it to end must not get its error.
    const ended = this.#compacting
    this.#compacting = ended.catch(() => {})
    return ended
  }

  async #copyAndSwap(): Promise<void> {
    const folder = copyFolder(this.#path)
    const copy = join(folder, 'vault.lmdb')
    const old = this.#env
    try {
      mkdirSync(folder, { mode: 0o700 })
      await old.root.backup(copy, true)
      await chmod(copy, 0o600)
      await synced(copy)
      this.#env = takeThePlace(copy, this.#path)
      await synced(dirname(this.#path))
    } catch (error) {
      throw storeError(error)
    } finally {
      // The old file is used for reads until the new one is open, and stays in use if that fails.
      if (this.#env !== old) await old.root.close()
      rmSync(folder, { recursive: true, force: true })
    }
  }

  /** LMDB has no check of its own; KvStore reads every entry, which visits every tree. */
  async verify(): Promise<string[]> {
    return []
  }

  async close(): Promise<void> {
    await this.#env.root.close()
  }
}

/** The binding's statistics of one B-tree. */
interface TreeStats {
  readonly pageSize: number
  readonly treeDepth: number
  readonly treeBranchPageCount: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
  readonly entryCount: number
}
interface LmdbStats extends TreeStats {
  readonly root: TreeStats
  readonly free: TreeStats
  readonly mapSize: number
  readonly lastPageNumber: number
}

/**
 * Opens the copy, then renames it and its lock file over those of the vault. If it throws, nothing
 * has changed.
 */
function takeThePlace(copy: string, path: string): Env {
  const env = openEnv(copy, false, false)
  try {
    renameSync(copy, path)
  } catch (error) {
    env.root.close()
    throw error
  }
  renameSync(`${copy}-lock`, `${path}-lock`)
  return env
}

async function synced(path: string): Promise<void> {
  const handle = await openFile(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
