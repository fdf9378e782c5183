// An exported history as a vault: it is built beside the vault's file and takes its place when all of it is there and verified, so
// that a crash leaves the empty vault or the whole one. Only a vault in which nothing was done yet is replaced.

import { renameSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { entryPast, inodePast, type SettingRow, setting, snapshot } from '../store/collections.ts'
import { openStore } from '../store/open.ts'
import { answered } from '../store/retry.ts'
import type { Store } from '../store/store.ts'
import { checkStore } from '../vault/check.ts'
import { type HistoryImporter, historyImporter } from '../vault/import-history.ts'
import { readCounters } from '../vault/settings.ts'
import { ROOT_INO } from '../vault/vault.ts'
import { ControlError } from './errors.ts'
import { acquireLock } from './lock.ts'

/** Fills the vault at `vaultPath` by what `feed` hands to the importer. Throws ControlError, LockedError; nothing has changed then. */
export async function importHistory(
  vaultPath: string,
  feed: (take: HistoryImporter['take']) => Promise<void>,
): Promise<{ rows: number; blocks: number }> {
  const lock = await acquireLock(vaultPath, { mountPoint: null, socket: null })
  process.once('exit', lock.release)
  const aside = `${vaultPath}.importing`
  try {
    const { backend, settings } = await emptyVault(vaultPath)
    // What a run that was killed has left.
    removeStore(aside)
    const store = await openStore(aside, { create: true, backend })
    let result: { rows: number; blocks: number }
    try {
      result = await fill(store, settings, feed)
    } finally {
      await store.close()
    }
    await swap(aside, vaultPath)
    return result
  } catch (error) {
    removeStore(aside)
    throw error instanceof RangeError ? new ControlError('failed', error.message) : error
  } finally {
    process.off('exit', lock.release)
    lock.release()
  }
}

async function fill(
  store: Store,
  settings: readonly SettingRow[],
  feed: (take: HistoryImporter['take']) => Promise<void>,
): Promise<{ rows: number; blocks: number }> {
  const importer = historyImporter(store, settings)
  await feed(importer.take)
  const result = await importer.finish()
  const { problems } = await checkStore(store, { deep: false })
  const [first] = problems
  // What was open when it was exported is sealed at the next opening, and no problem.
  if (first !== undefined) throw new RangeError(`the history is damaged: ${first.message}`)
  return result
}

/** Its settings. Throws ControlError when there is or was anything in it. */
async function emptyVault(path: string): Promise<{ backend: string; settings: SettingRow[] }> {
  const store = await openStore(path, { readOnly: true })
  try {
    const { nextIno } = await answered(() => readCounters(store))
    const past = await answered(() =>
      [inodePast, entryPast, snapshot].some(
        (collection) => store.scan(collection as typeof inodePast, { limit: 1 }).length > 0,
      ),
    )
    if (nextIno > ROOT_INO + 1 || past) {
      const hint = 'create a new one and import it there'
      throw new ControlError('exists', `a history is imported into an empty vault: ${hint}`, path)
    }
    const settings = await answered(() => store.scan(setting, { limit: 1000 }))
    return { backend: store.traits.backend, settings }
  } finally {
    await store.close()
  }
}

function removeStore(path: string): void {
  for (const suffix of ['', '-wal', '-shm', '-lock'])
    rmSync(path + suffix, { recursive: true, force: true })
}

/** Puts one store in the place of another. */
async function swap(from: string, to: string): Promise<void> {
  // A directory is not renamed over one that holds something.
  if (statSync(to).isDirectory()) {
    const old = `${to}.old`
    rmSync(old, { recursive: true, force: true })
    renameSync(to, old)
    renameSync(from, to)
    rmSync(old, { recursive: true, force: true })
  } else renameSync(from, to)
  const directory = await open(dirname(to))
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
