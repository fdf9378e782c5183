// Turns an exported history into a vault: it is built beside the vault's file and replaces it when
// it is complete and verified, so that a crash leaves either the empty vault or the complete one.
// Only an unused vault can be replaced.

import { syncFiles } from '../../base/sync-files.ts'
import {
  entryPast,
  inodePast,
  type SettingRow,
  setting,
  snapshot,
} from '../../store/collections.ts'
import { openStore } from '../../store/open.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { ALL, type Store } from '../../store/store.ts'
import { checkStore } from '../../vault/check/check.ts'
import { ROOT_INO } from '../../vault/core/inode.ts'
import { continueLineage } from '../../vault/core/lineage.ts'
import { readCounters } from '../../vault/core/settings.ts'
import { type HistoryImporter, historyImporter } from '../../vault/transfer/import-history.ts'
import { stoppable } from '../host/stopping.ts'
import { acquireLock } from '../vaults/lock.ts'
import { finishSwitch, switchFiles } from '../vaults/switch-files.ts'
import { removeFiles } from '../vaults/vault-files.ts'
import { ControlError } from '../wire/errors.ts'

type Filling = (take: HistoryImporter['take']) => Promise<void>

/**
 * Fills the vault at `vaultPath` with what `feed` sends to the importer. Throws ControlError,
 * LockedError, StoppedError; nothing has changed then.
 */
export function importHistory(
  vaultPath: string,
  feed: Filling,
): Promise<{ rows: number; blocks: number }> {
  return stoppable('nothing was imported', ({ assertGoing }) =>
    importInto(vaultPath, (take) =>
      feed((...record) => {
        assertGoing()
        return take(...record)
      }),
    ),
  )
}

async function importInto(
  vaultPath: string,
  feed: Filling,
): Promise<{ rows: number; blocks: number }> {
  const lock = await acquireLock(vaultPath, { mountPoint: null, socket: null })
  process.once('exit', lock.release)
  const aside = `${vaultPath}.importing`
  try {
    finishSwitch(vaultPath)
    const { backend, settings } = await emptyVault(vaultPath)
    // Leftovers of a run that was killed.
    removeFiles(aside)
    const store = await openStore(aside, { create: true, backend })
    let result: { rows: number; blocks: number }
    try {
      result = await fill(store, settings, feed)
    } finally {
      await store.close()
    }
    syncFiles(aside)
    switchFiles(aside, vaultPath, null)
    return result
  } catch (error) {
    removeFiles(aside)
    throw error instanceof RangeError ? new ControlError('failed', error.message) : error
  } finally {
    process.off('exit', lock.release)
    lock.release()
  }
}

async function fill(
  store: Store,
  settings: readonly SettingRow[],
  feed: Filling,
): Promise<{ rows: number; blocks: number }> {
  const importer = historyImporter(store, settings)
  await feed(importer.take)
  const result = await importer.finish()
  await continueLineage(store)
  const { problems } = await checkStore(store, { deep: false })
  const [first] = problems
  // Versions unsealed at the export are sealed at the next opening; they are no problem.
  if (first !== undefined) throw new RangeError(`the history is damaged: ${first.message}`)
  return result
}

/** The settings of a vault. Throws ControlError if it has, or ever had, any content. */
async function emptyVault(path: string): Promise<{ backend: string; settings: SettingRow[] }> {
  // Not read-only: the engine must merge its log, which must not remain beside another file.
  const store = await openStore(path)
  try {
    const { nextIno } = await retryUntilLoaded(() => readCounters(store))
    const past = await retryUntilLoaded(() =>
      [inodePast, entryPast, snapshot].some(
        (collection) => store.scan(collection as typeof inodePast, { limit: 1 }).length > 0,
      ),
    )
    if (nextIno > ROOT_INO + 1 || past) {
      const hint = 'create a new one and import it there'
      throw new ControlError('exists', `a history is imported into an empty vault: ${hint}`, path)
    }
    const settings = await retryUntilLoaded(() => store.scan(setting, { limit: ALL }))
    return { backend: store.traits.backend, settings }
  } finally {
    await store.close()
  }
}
