// The one file that names the engines. Each is loaded when it is first used.

import { existsSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import { openKvStore } from './kv/kv-store.ts'
import { type Store, StoreError } from './store.ts'

export interface OpenOptions {
  /** Makes a new vault, and refuses one that is there already and has rows. */
  readonly create?: boolean
  /** An engine's name; by default that of the existing vault, or of the path's suffix. */
  readonly backend?: string
  /** Refuses commits, and shows what was committed when it was opened, whatever others commit meanwhile. */
  readonly readOnly?: boolean
  /** What the engine may keep in memory for reads. */
  readonly cacheBytes?: number
}

interface Backend {
  readonly name: string
  /** What the names of its vaults end in; '' if it has no files. */
  readonly suffix: string
  /** Whether what exists at a path can be its vault. Must not open the file: closing it would drop SQLite's locks. */
  detect(path: string): boolean
  open(path: string, options: OpenOptions): Promise<Store>
}

/** Every engine: a new one is a row here. The first is the default. */
export const backends: readonly Backend[] = [
  {
    name: 'sqlite',
    suffix: '.avfs',
    detect: (path) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false,
    open: async (path, options) => (await import('./sqlite/sqlite.ts')).openSqlite(path, options),
  },
  {
    name: 'lmdb',
    suffix: '.lmdb',
    detect: (path) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false,
    open: async (path, options) =>
      openKvStore((await import('./lmdb/lmdb.ts')).openLmdb, path, {
        create: false,
        readOnly: false,
        cacheBytes: 0,
        ...options,
      }),
  },
  {
    name: 'leveldb',
    suffix: '.leveldb',
    detect: (path) => existsSync(join(path, 'CURRENT')),
    open: async (path, options) =>
      openKvStore((await import('./leveldb/leveldb.ts')).openLevel, path, {
        create: false,
        readOnly: false,
        cacheBytes: 32 * 1024 * 1024,
        ...options,
      }),
  },
  {
    name: 'memory',
    suffix: '',
    detect: () => false,
    open: async () => (await import('./memory.ts')).openMemory(),
  },
]

/**
 * Opens the vault at a path. Rejects with StoreError: 'format' for an unknown engine, a file that is no vault or a vault
 * of a newer avfs, 'io' where there is none (or, with `create`, one).
 */
export async function openStore(path: string, options: OpenOptions = {}): Promise<Store> {
  return backendOf(path, options.backend).open(path, options)
}

/** The engine of that name, or else of what exists at the path, or else of its suffix, or else the default. */
export function backendOf(path: string, name?: string): Backend {
  if (name === undefined) {
    const suffix = extname(path)
    const found =
      backends.find((backend) => backend.detect(path)) ??
      backends.find((backend) => backend.suffix !== '' && backend.suffix === suffix)
    return found ?? (backends[0] as Backend)
  }
  const backend = backends.find((candidate) => candidate.name === name)
  if (backend !== undefined) return backend
  const known = backends.map((candidate) => candidate.name).join(', ')
  throw new StoreError('format', `there is no backend named ${name}; there are ${known}`)
}
