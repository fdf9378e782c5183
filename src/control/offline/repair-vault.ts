// Repairs a closed vault, either on a copy of what can be read of it, which replaces the vault when
// it is sound, or in place. Unless it is repaired in place, the original is kept as NAME.damaged.

import { syncFiles } from '../../base/sync-files.ts'
import { backendOf, openStore } from '../../store/open.ts'
import { type Store, StoreError } from '../../store/store.ts'
import { type CheckReport, checkStore } from '../../vault/check/check.ts'
import { type RepairReport, repairStore } from '../../vault/check/repair.ts'
import { breakLineage } from '../../vault/core/lineage.ts'
import { copyStore } from '../../vault/transfer/copy-rows.ts'
import { stoppable } from '../host/stopping.ts'
import { assertWritablePlace } from '../methods/refusal.ts'
import { finishSwitch, type SwitchOptions, switchFiles } from '../vaults/switch-files.ts'
import { bytesOf, removeFiles } from '../vaults/vault-files.ts'
import { existingVault, freePath } from '../vaults/vault-names.ts'
import type { Report } from '../wire/protocol.ts'
import { lockOffline, needRoom } from './offline.ts'

/** A copy is as large as the vault, plus what engines take temporarily while they write. */
const ROOM = 1.5

interface RepairVaultOptions {
  /** Repairs a copy and keeps the original; otherwise in place. */
  readonly copy: boolean
  readonly onStep: (text: string) => void
  readonly report: Report
  readonly reached?: SwitchOptions['reached']
}

/** `original`: where the vault was moved; null if it was sound or repaired in place. */
export interface VaultRepair extends CheckReport {
  readonly found: number
  readonly steps: number
  readonly original: string | null
}

/**
 * Repairs the vault `given`. Throws ControlError 'locked' if it is in use, StoppedError if a signal
 * came before its copy was ready; a repair in place is completed first. The copy is discarded
 * unless all damage is repaired.
 */
export function repairVault(given: string, options: RepairVaultOptions): Promise<VaultRepair> {
  return stoppable('the vault is as it was', ({ assertGoing }) =>
    repairLocked(given, {
      ...options,
      report(done, total) {
        if (options.copy) assertGoing()
        options.report(done, total)
      },
    }),
  )
}

async function repairLocked(given: string, options: RepairVaultOptions): Promise<VaultRepair> {
  const { path } = existingVault(given)
  const lock = await lockOffline(path)
  try {
    const finished = finishSwitch(path)
    if (finished !== undefined) options.onStep(finished)
    const store = await openStore(path, { readOnly: true })
    const before = await checkStore(store, { deep: true, onProgress: options.report }).finally(() =>
      store.close(),
    )
    if (before.problems.length === 0) return { ...before, found: 0, steps: 0, original: null }
    assertWritablePlace(path)
    return options.copy
      ? await repairCopy(path, before.problems, options)
      : await repairHere(path, options)
  } finally {
    lock.release()
  }
}

async function repairHere(path: string, options: RepairVaultOptions): Promise<VaultRepair> {
  const store = await openStore(path, { salvage: true })
  const repaired = await repair(store, options).finally(() => store.close())
  return { ...repaired.left, found: repaired.found, steps: repaired.steps, original: null }
}

async function repair(store: Store, { onStep, report }: RepairVaultOptions): Promise<RepairReport> {
  const repaired = await repairStore(store, { onStep, onProgress: report })
  // A backup may be the only place that still has what was damaged here, so it must not be
  // replaced.
  if (repaired.left.problems.length === 0) await breakLineage(store)
  return repaired
}

async function repairCopy(
  path: string,
  problems: CheckReport['problems'],
  options: RepairVaultOptions,
): Promise<VaultRepair> {
  const { onStep } = options
  const found = problems.length
  const backend = backendOf(path).name
  const partial = `${path}.repaired`
  needRoom(path, bytesOf(path) * ROOM, '--no-copy repairs the vault in place')
  removeFiles(partial)
  // Copying has removed these.
  for (const { code, message } of problems)
    if (code === 'engine-damaged') onStep(`left behind: ${message}`)
  try {
    await foldLog(path)
    const from = await openStore(path, { readOnly: true })
    const to = await openStore(partial, { create: true, backend })
    let repaired: RepairReport
    let skipped = 0
    try {
      await copyStore(from, to, {
        damaged: ({ collection, message }) => {
          // Damaged inline content is copied, and repaired like other content.
          if ('extent extent_past'.split(' ').includes(collection) && /checksum/.test(message))
            return
          skipped++
          onStep(`left behind, from ${collection}: ${message}`)
        },
      })
      repaired = await repair(to, options)
    } finally {
      await from.close()
      await to.close()
    }
    const counts = { found, steps: repaired.steps + skipped }
    if (repaired.left.problems.length > 0) {
      removeFiles(partial)
      return { ...repaired.left, ...counts, original: null }
    }
    syncFiles(partial)
    const original = freePath(path, 'damaged')
    switchFiles(partial, path, original, { reached: options.reached })
    onStep(`the vault as it was: ${original}`)
    return { ...repaired.left, ...counts, original }
  } catch (error) {
    removeFiles(partial)
    throw error
  }
}

/** Merges the logs that a crash left into the vault, so that its files are complete. */
async function foldLog(path: string): Promise<void> {
  try {
    const store = await openStore(path, { salvage: true })
    await store.close()
  } catch (error) {
    // It is so damaged that it can only be read.
    if (!(error instanceof StoreError)) throw error
  }
}
