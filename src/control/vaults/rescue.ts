// Makes a copy of an open vault whose files have lost their names: complete, on the same engine,
// named NAME.rescued with the engine's suffix, beside the vault's place, or in the log directory if
// that is gone. The copy is returned open.

import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { log } from '../../base/log.ts'
import { syncFiles } from '../../base/sync-files.ts'
import { backendOf, openStore } from '../../store/open.ts'
import { type Store, StoreError } from '../../store/store.ts'
import { breakLineage } from '../../vault/core/lineage.ts'
import { copyStore } from '../../vault/transfer/copy-rows.ts'
import { acquireLock } from './lock.ts'
import { stateDirectory } from './paths.ts'
import { moveFiles, removeFiles } from './vault-files.ts'
import { freePath } from './vault-names.ts'

export interface Rescue {
  readonly path: string
  readonly store: Store
  /** Number of rows that could not be read. */
  readonly missing: number
  close(): Promise<void>
}

/**
 * Copies everything that `store`, of the vault at `path`, has committed; there must be no commits
 * meanwhile. Rejects if no folder can hold the copy.
 */
export async function rescue(path: string, store: Store): Promise<Rescue> {
  let failure: unknown
  for (const folder of [dirname(path), stateDirectory()].filter(existsSync)) {
    try {
      return await copyTo(freePath(join(folder, basename(path)), 'rescued'), store)
    } catch (error) {
      failure = error
      log('warn', `${path} cannot be copied to ${folder}`, error)
    }
  }
  throw failure
}

async function copyTo(target: string, from: Store): Promise<Rescue> {
  const lock = await acquireLock(target, { mountPoint: null, socket: null })
  try {
    const { store, missing } = await copy(target, from)
    return { path: target, store, missing, close: () => store.close().finally(lock.release) }
  } catch (error) {
    lock.release()
    throw error
  }
}

async function copy(target: string, from: Store): Promise<{ store: Store; missing: number }> {
  const backend = backendOf(target).name
  const partial = `${target}.partial`
  removeFiles(partial)
  let missing = 0
  try {
    const to = await openStore(partial, { create: true, backend })
    try {
      const damaged = ({ message }: { message: string }): void => {
        missing++
        log('warn', `not in ${target}: ${message}`)
      }
      await copyStore(readable(from), to, { damaged })
      // A backup may still have what is missing here.
      if (missing > 0) await breakLineage(to)
    } finally {
      await to.close()
    }
    syncFiles(partial)
    moveFiles(partial, target)
  } catch (error) {
    removeFiles(partial)
    throw error
  }
  return { store: await openStore(target), missing }
}

/**
 * Treats rows that cannot be read, because the engine's files are gone, as damaged, so that they
 * are left out.
 */
function readable(store: Store): Store {
  const reading =
    <A extends unknown[], T>(read: (...all: A) => T) =>
    (...all: A): T => {
      try {
        return read(...all)
      } catch (error) {
        if (!(error instanceof StoreError) || error.kind !== 'io') throw error
        throw new StoreError('corrupt', error.message, { cause: error })
      }
    }
  const { get, scan, project } = store
  return Object.assign(Object.create(store) as Store, {
    get: reading(get.bind(store)),
    scan: reading(scan.bind(store)),
    project: reading(project.bind(store)),
  })
}
