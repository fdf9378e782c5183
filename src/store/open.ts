// The only file that names the engines. Each is loaded when it is first used, and any but the first
// may be missing.

import { existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type Availability, availabilityOf, type Requirement } from './availability.ts'
import { guarded } from './guarded.ts'
import { LOG_ENDING } from './intent-log/intent-log.ts'
import { ASIDE_ENDING, openRecovered } from './intent-log/replay.ts'
import type { OpenEngine } from './kv/kv-store.ts'
import { assertOwnParts } from './own-parts.ts'
import { type IsLinked, isWritablePlace, makeReadingPlace } from './read-only-place.ts'
import { isReadable } from './sqlite/readable.ts'
import { type Store, StoreError } from './store.ts'

interface OpenOptions {
  /** Creates a vault; refuses an existing one that has rows. */
  readonly create?: boolean
  /** An engine's name; by default that of the path's suffix. */
  readonly backend?: string
  /**
   * Refuses commits, and shows what was committed at the time of opening, whatever others commit
   * later.
   */
  readonly readOnly?: boolean
  /** Memory for the engine's read caches. */
  readonly cacheBytes?: number
  /** Sets a damaged intent log aside, when all that can be read of it is in the vault. */
  readonly salvage?: boolean
}

export interface Backend {
  readonly name: string
  /**
   * The suffix of its vaults' names, by which an existing vault's engine is recognized. '' if it
   * has no files.
   */
  readonly suffix: string
  /** A vault is a folder, and not a file. */
  readonly isFolder: boolean
  /** What may lie beside the vault: suffixes appended to the vault's whole name. */
  readonly companions: readonly string[]
  /**
   * For a vault that cannot be written: a predicate on its file names that is true for the files
   * that a reader neither changes nor removes. Undefined if the vault can be read where it is.
   */
  readonly linked: (path: string) => IsLinked | undefined
  readonly requirement: Requirement
  /** The engine's own version. Rejects when it cannot be loaded. */
  version(): Promise<string>
  open(path: string, options: OpenOptions): Promise<Store>
}

const KV_DEFAULTS = { create: false, readOnly: false, cacheBytes: 32 * 1024 * 1024 }

async function openKv(engine: OpenEngine, path: string, options: OpenOptions): Promise<Store> {
  const { openKvStore } = await import('./kv/kv-store.ts')
  return openKvStore(engine, path, { ...KV_DEFAULTS, ...options })
}

const none: IsLinked = () => false
const logs = [LOG_ENDING, ASIDE_ENDING]

const require = createRequire(import.meta.url)

/** The suffix of the index of a vault whose engine cannot hold the index in its own file. */
export const INDEX_ENDING = '.search'

/** Every engine: a new one is a row here. The first is the default. */
export const backends: readonly Backend[] = [
  {
    name: 'sqlite',
    suffix: '.avfs',
    isFolder: false,
    companions: ['-wal', '-shm', '-journal', ...logs],
    // SQLite finds its log by the real path of the file, so a symbolic link would not do.
    linked: (path) => (isReadable(path) ? undefined : none),
    requirement: undefined,
    version: async () => (await import('./sqlite/sqlite.ts')).sqliteVersion(),
    open: async (path, options) => (await import('./sqlite/sqlite.ts')).openSqlite(path, options),
  },
  {
    name: 'lmdb',
    suffix: '.lmdb',
    isFolder: false,
    companions: ['-lock', '.compact', INDEX_ENDING, ...logs],
    linked: () => (name) => name.endsWith('.lmdb'),
    requirement: { npm: 'lmdb', version: '3.5.6' },
    version: async () => (await import('./lmdb/lmdb.ts')).lmdbVersion(),
    open: async (path, options) => {
      const { openLmdb } = await import('./lmdb/lmdb.ts')
      return openKv(openLmdb, path, options)
    },
  },
  {
    name: 'leveldb',
    suffix: '.leveldb',
    isFolder: true,
    linked: () => (name) => /\.(ldb|sst|damaged)$/.test(name),
    companions: [INDEX_ENDING, ...logs],
    requirement: { npm: 'classic-level', version: '3.0.0' },
    version: async () => {
      await import('./leveldb/leveldb.ts')
      return `classic-level ${(require('classic-level/package.json') as { version: string }).version}`
    },
    open: async (path, options) => {
      const { openLevel } = await import('./leveldb/leveldb.ts')
      return openKv(openLevel, path, options)
    },
  },
  {
    name: 'rocksdb',
    suffix: '.rocksdb',
    isFolder: true,
    linked: () => (name) => /\.(sst|blob)$/.test(name),
    companions: ['.new', INDEX_ENDING, ...logs],
    requirement: { make: 'rocksdb' },
    version: async () => `RocksDB ${await (await import('./rocksdb.ts')).rocksdbVersion()}`,
    open: async (path, options) => {
      const { openRocksdb } = await import('./rocksdb.ts')
      return openKv(openRocksdb, path, options)
    },
  },
  {
    name: 'sled',
    suffix: '.sled',
    isFolder: true,
    // Opening it writes.
    linked: () => none,
    companions: [INDEX_ENDING, ...logs],
    requirement: { make: 'sled' },
    version: async () => `sled ${await (await import('./sled.ts')).sledVersion()}`,
    open: async (path, options) => {
      const { openSled } = await import('./sled.ts')
      return openKv(openSled, path, options)
    },
  },
  {
    name: 'memory',
    suffix: '',
    isFolder: false,
    companions: [],
    linked: () => undefined,
    requirement: undefined,
    version: async () => '',
    open: async () => (await import('./memory.ts')).openMemory(),
  },
]

/** The engines whose vaults outlive a process. */
export const persistentBackends = backends.filter(({ suffix }) => suffix !== '')

/**
 * Opens the vault at a path. Rejects with StoreError: 'format' for an unknown engine, a file that
 * is not a vault or a vault of a newer avfs, 'io' where there is none (or, with `create`, where
 * there is one), 'unavailable' where its engine cannot be loaded; with StrangerError where a part
 * of it belongs to another user. Rows are validated as they are read (guarded.ts), whoever made the
 * vault.
 */
export async function openStore(path: string, options: OpenOptions = {}): Promise<Store> {
  return guarded(await openEngine(path, options))
}

/** `openStore` without validation: rows are returned as the engine has them. */
export async function openEngine(path: string, options: OpenOptions = {}): Promise<Store> {
  const backend = backendOf(path, options.backend)
  const availability = await availabilityOfBackend(backend)
  if (!availability.available) throw unavailable(backend, availability)
  assertOwnParts([path, ...backend.companions.map((end) => path + end)])
  assertKind(backend, path)
  const isLinked = options.readOnly === true ? linkedOf(backend, path) : undefined
  return isLinked === undefined
    ? openWithLog(backend, path, options)
    : openElsewhere(path, options, isLinked)
}

function openWithLog(backend: Backend, path: string, options: OpenOptions): Promise<Store> {
  const { readOnly = false, salvage = false } = options
  const open = (asReader: boolean) => backend.open(path, { ...options, readOnly: asReader })
  return backend.suffix === '' ? open(readOnly) : openRecovered(path, { readOnly, salvage }, open)
}

/**
 * Checked before an engine opens it: opening a pipe would block, and a folder would be reported in
 * the host's words.
 */
function assertKind({ suffix, isFolder }: Backend, path: string): void {
  const found = suffix === '' ? undefined : statSync(path, { throwIfNoEntry: false })
  if (found !== undefined && !(isFolder ? found.isDirectory() : found.isFile()))
    throw new StoreError('format', `${path} is not an avfs vault`)
}

/** Undefined where the vault can be opened where it is. */
function linkedOf(backend: Backend, path: string): IsLinked | undefined {
  if (isWritablePlace(path) || !existsSync(path)) return undefined
  // What the log holds is given to a copy.
  return existsSync(path + LOG_ENDING) ? none : backend.linked(path)
}

/**
 * Opens the vault through a folder of links and copies. The index is left out: a search opens it
 * where it is.
 */
async function openElsewhere(
  path: string,
  options: OpenOptions,
  isLinked: IsLinked,
): Promise<Store> {
  const backend = backendOf(path, options.backend)
  const files = filesOf(path).filter((file) => !file.endsWith(INDEX_ENDING))
  const place = makeReadingPlace(files, isLinked)
  try {
    const store = await openWithLog(backend, place.path, options)
    const close = store.close.bind(store)
    store.close = () => close().finally(place.remove)
    return store
  } catch (error) {
    place.remove()
    throw error
  }
}

/** The engine of that name; without a name, that of the path's suffix, else the default. */
export function backendOf(path: string, name?: string): Backend {
  if (name === undefined) {
    const found = persistentBackends.find(({ suffix }) => path.endsWith(suffix))
    return found ?? (backends[0] as Backend)
  }
  const backend = backends.find((candidate) => candidate.name === name)
  if (backend !== undefined) return backend
  const known = backends.map((candidate) => candidate.name).join(', ')
  throw new StoreError('format', `there is no backend named ${name}; there are ${known}`)
}

/** Whether an engine can be used here. Loads it. */
export function availabilityOfBackend(backend: Backend): Promise<Availability> {
  return availabilityOf(backend.requirement, backend.version)
}

/** Throws StoreError 'unavailable', which says what to do, unless the engine can be used here. */
export async function needBackend(name: string): Promise<void> {
  const backend = backendOf('', name)
  const availability = await availabilityOfBackend(backend)
  if (!availability.available) throw unavailable(backend, availability)
}

function unavailable(
  { name }: Backend,
  { why, command }: Availability & { available: false },
): StoreError {
  return new StoreError(
    'unavailable',
    `the backend ${name} is not available: ${why}; run: ${command}`,
  )
}

/** All existing files and folders of a vault. */
export function filesOf(path: string): string[] {
  const { companions } = backendOf(path)
  return [path, ...companions.map((end) => path + end)].filter((file) => existsSync(file))
}

/** The total size of a vault's files, and when the last of them changed, without opening it. */
export function sizeOnDisk(path: string): { bytes: number; changedMs: number } {
  let bytes = 0
  let changedMs = 0
  const add = (file: string): void => {
    // An engine may just be removing it.
    const found = statSync(file, { throwIfNoEntry: false })
    if (found === undefined) return
    if (found.isDirectory()) for (const name of readdirSync(file)) add(join(file, name))
    else {
      // A sparse file takes less than its length; preallocated space behind the end does not count.
      bytes += Math.min(found.size, found.blocks * 512)
      changedMs = Math.max(changedMs, found.mtimeMs)
    }
  }
  // The log is there only as long as the vault is open.
  for (const file of filesOf(path)) if (file !== path + LOG_ENDING) add(file)
  return { bytes, changedMs }
}
