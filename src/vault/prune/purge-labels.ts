// The names of labels: one that nobody carries or carried any more, since all that did was purged,
// goes with it. Which ones may is noted while a purge is at work, in its setting, because nothing
// else tells it when it was cut short.

import { type SettingRow, setting, taggingPast, tag as tags } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Core } from '../core/core.ts'
import { walkRows } from '../core/rows.ts'
import { parsedSetting } from '../core/settings.ts'
import type { Slices } from '../core/time-slices.ts'
import { labelledWith } from '../tree/label-index.ts'

/**
 * The setting that says that a purge was begun: a cut one left nothing by which the next would find
 * its work.
 */
const PURGING = 'purging'

/** Whether a purge was begun and did not come to its end. */
export function isPurging(core: Core): boolean {
  return core.overlay.get(setting, [PURGING]) !== undefined
}

/** Called before the first of it goes, with the labels that what goes carried. */
export function notePurging(core: Core, labels: readonly string[]): void {
  const all = [...new Set([...labelsOf(core.overlay.get(setting, [PURGING])), ...labels])]
  core.overlay.put(setting, { name: PURGING, value: JSON.stringify(all) })
}

function labelsOf(row: SettingRow | undefined): readonly string[] {
  // A purge of an earlier avfs noted a moment there.
  const noted = parsedSetting(row?.value)
  return Array.isArray(noted) ? noted.filter((label) => typeof label === 'string') : []
}

/**
 * Drops the labels that were noted and that nobody carries or carried. What was noted of them goes
 * as well.
 */
export async function dropLabels(core: Core, slices: Slices): Promise<void> {
  const noted = await retryUntilLoaded(() => labelsOf(core.overlay.get(setting, [PURGING])))
  if (noted.length === 0) return
  await slices.settle()
  const left = new Set(noted)
  const { store } = core.overlay
  for await (const { tag } of walkRows(store, taggingPast, taggingPast.fields, {}, slices))
    left.delete(tag)
  // In one step: a file may get one of them meanwhile.
  await retryUntilLoaded(() => {
    for (const name of left)
      if (labelledWith(core, [name]).length === 0) core.overlay.delete(tags, [name])
    core.overlay.put(setting, { name: PURGING, value: '[]' })
  })
  await slices.settle()
}

/** Nothing of what was purged is left. */
export function endPurging(core: Core): void {
  core.overlay.delete(setting, [PURGING])
}
