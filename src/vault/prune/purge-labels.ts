// Names of labels that only purged files carried are dropped, too. The candidates are stored in a
// setting while a purge runs, because nothing else would tell after an interruption.

import { type SettingRow, setting, taggingPast, tag as tags } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Core } from '../core/core.ts'
import { walkRows } from '../core/rows.ts'
import { parsedSetting } from '../core/settings.ts'
import type { Slices } from '../core/time-slices.ts'
import { labelledWith } from '../tree/label-index.ts'

/**
 * The setting that marks a purge in progress: after an interruption, the next run could not find
 * its work from the rows.
 */
const PURGING = 'purging'

/** Whether a purge was begun and not completed. */
export function isPurging(core: Core): boolean {
  return core.overlay.get(setting, [PURGING]) !== undefined
}

/** Called before anything is dropped, with the labels of what will be purged. */
export function notePurging(core: Core, labels: readonly string[]): void {
  const all = [...new Set([...labelsOf(core.overlay.get(setting, [PURGING])), ...labels])]
  core.overlay.put(setting, { name: PURGING, value: JSON.stringify(all) })
}

function labelsOf(row: SettingRow | undefined): readonly string[] {
  // Earlier versions of avfs stored a moment here.
  const noted = parsedSetting(row?.value)
  return Array.isArray(noted) ? noted.filter((label) => typeof label === 'string') : []
}

/** Drops the noted labels that no file carries or carried, and clears the note. */
export async function dropLabels(core: Core, slices: Slices): Promise<void> {
  const noted = await retryUntilLoaded(() => labelsOf(core.overlay.get(setting, [PURGING])))
  if (noted.length === 0) return
  await slices.settle()
  const left = new Set(noted)
  const { store } = core.overlay
  for await (const { tag } of walkRows(store, taggingPast, taggingPast.fields, {}, slices))
    left.delete(tag)
  // In one step: a file may get one of the labels meanwhile.
  await retryUntilLoaded(() => {
    for (const name of left)
      if (labelledWith(core, [name]).length === 0) core.overlay.delete(tags, [name])
    core.overlay.put(setting, { name: PURGING, value: '[]' })
  })
  await slices.settle()
}

/** Marks the purge as complete. */
export function endPurging(core: Core): void {
  core.overlay.delete(setting, [PURGING])
}
