// Prune and the numbers of versions: a version keeps its number when those before it go. Before
// anything is let go of, what the numbers of a name's versions are counted from is written down
// (collections.ts, numbering).

import { inodePast, inode as inodes, numbering, RENAMED } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Core } from '../core/core.ts'
import type { Moment } from '../core/moment.ts'
import { walkRows } from '../core/rows.ts'
import type { Slices } from '../core/time-slices.ts'
import { mayGrow, type NumberedEntry, Numbering } from '../history/versions.ts'
import { type NameGroup, walkNames } from '../tree/name-walk.ts'

/**
 * Writes down the numbers of names of which something before `window` may go; `isLeft` says which
 * names are left alone. Those to which files were moved are among them in any case: their history
 * may go on in another name.
 */
export async function keepNumbers(
  core: Core,
  window: Moment,
  isLeft: (group: NameGroup) => boolean,
  slices: Slices,
): Promise<void> {
  for await (const group of walkNames(core, slices)) {
    const isTouched =
      hasHeritage(group) ||
      (group.pasts.some(({ since }) => since <= window) &&
        !(await retryUntilLoaded(() => isLeft(group))))
    if (isTouched) await keepOf(core, group, slices)
    await slices.turn()
  }
}

/**
 * Whether a file may have brought the history of another name along: what takes another's place
 * does not.
 */
function hasHeritage({ pasts, present }: NameGroup): boolean {
  const rows = present === undefined ? pasts : [...pasts, present]
  return rows.some(({ origin, since }, at) => origin === RENAMED && pasts[at - 1]?.until !== since)
}

async function keepOf(core: Core, { parent, name }: NameGroup, slices: Slices): Promise<void> {
  const numbers = await retryUntilLoaded(() => new Numbering(core, parent, name))
  while (await retryUntilLoaded(() => numbers.step())) await slices.turn()
  for (const entry of numbers.spans) {
    if (!(await retryUntilLoaded(() => isCounted(core, entry)))) continue
    core.overlay.put(numbering, { parent, name, ...entry.numbered })
    slices.changed(1)
    await slices.turn()
  }
}

/**
 * Whether what is pruned can change how a span is counted: not a file that was alone from the
 * beginning.
 */
function isCounted(core: Core, { numbered, span }: NumberedEntry): boolean {
  const { version: first, number, replaced, begins } = numbered
  return first !== 1 || number !== 1 || replaced === 1 || (begins === 1 && mayGrow(core, span))
}

/** Deletes what speaks of inodes of which nothing is left. */
export async function dropNumbers(core: Core, slices: Slices): Promise<void> {
  const fields = ['parent', 'name', 'since', 'ino'] as const
  for await (const row of walkRows(core.overlay.store, numbering, fields, {}, slices)) {
    if (await retryUntilLoaded(() => isOfUse(core, row.ino))) continue
    core.overlay.delete(numbering, [row.parent, row.name, row.since])
    slices.changed(1)
    await slices.turn()
  }
}

/**
 * Names lead to an inode as long as it has a state: where their histories begin is asked for also
 * when no version is left.
 */
function isOfUse({ overlay }: Core, ino: number): boolean {
  const range = { gte: [ino], lt: [ino + 1], limit: 1 }
  return overlay.scan(inodePast, range).length > 0 || overlay.get(inodes, [ino]) !== undefined
}
