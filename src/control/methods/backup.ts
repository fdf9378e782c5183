// The method that sends a backup what it lacks, as of one moment, whatever is written meanwhile.

import { deserialize } from 'node:v8'
import { retryUntilLoaded } from '../../store/retry.ts'
import { checkLineage, comesFrom } from '../../vault/core/lineage.ts'
import { readCounters, readSetting } from '../../vault/core/settings.ts'
import { PURGED } from '../../vault/prune/purge.ts'
import { checkHave } from '../../vault/transfer/sync-have.ts'
import { sendChanges } from '../../vault/transfer/sync-send.ts'
import type { Vault } from '../../vault/vault.ts'
import { ControlError } from '../wire/errors.ts'
import type { Call, Given, Methods } from './method.ts'
import type { BackupState } from './method-types.ts'

export const backupMethods = {
  /**
   * The body says what the copy has (sync-have.ts). Sends what it lacks as pieces (sync-send.ts),
   * and then a BackupState. `over`: the LineageState of the copy that would be replaced.
   */
  backup: { readOnly: true, run: sendBackup },
} satisfies Partial<Methods>

async function sendBackup(
  vault: Vault,
  { over }: Given<'backup'>,
  { body, send, report, isGone }: Call,
): Promise<BackupState> {
  if (body === undefined) throw new ControlError('failed', 'backup wants to know what is there')
  const parts: Uint8Array[] = []
  for await (const piece of body) parts.push(Uint8Array.from(piece))
  const have = said(
    () => checkHave(deserialize(Buffer.concat(parts))),
    'the body of backup must say what a copy has, as avfs vault backup does',
  )
  const state = said(
    () => (over === undefined ? undefined : checkLineage(over)),
    'parameter over must be what a copy says of where it comes from',
  )
  const view = await vault.view()
  try {
    const { id, moment, purged, isHeld } = await retryUntilLoaded(() => ({
      id: readSetting(view, 'id') ?? '',
      moment: readCounters(view).moment,
      purged: readSetting(view, PURGED) ?? '',
      isHeld: state === undefined || comesFrom(view, state),
    }))
    const wall = vault.core.moments.wallOf(moment)
    if (!isHeld) return { id, moment, wall, purged, survey: [], isHeld }
    const progress = (bytes: number): void => {
      if (isGone()) throw new ControlError('failed', 'nobody waits for the backup any more')
      report(bytes, 0)
    }
    const survey = await sendChanges(view, have, send, progress)
    return { id, moment, wall, purged, survey, isHeld }
  } finally {
    await view.close()
  }
}

/** Parses what a copy reports. Throws ControlError with `message` if it is invalid. */
function said<T>(read: () => T, message: string): T {
  try {
    return read()
  } catch (error) {
    throw new ControlError('failed', message, undefined, { cause: error })
  }
}
