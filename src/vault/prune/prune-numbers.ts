// Keeps the numbers of versions across prune: a version keeps its number when earlier ones are
// dropped. Before anything is dropped, the base of the numbers of each name is recorded
// (`numbering` in collections.ts).

import { inodePast, inode as inodes, numbering, RENAMED } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Core } from '../core/core.ts'
import type { Moment } from '../core/moment.ts'
import { walkRows } from '../core/rows.ts'
import type { Slices } from '../core/time-slices.ts'
import { mayGrow, type NumberedEntry, Numbering } from '../history/versions.ts'
import { type NameGroup, walkNames } from '../tree/name-walk.ts'

/**
 * Records the numbers of names that may lose anything before `window`; names for which `isLeft`
 * returns true are left alone. Names that files were moved to are always recorded, since their
 * history may continue that of another name.
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
 * Whether a file may have brought along the history of another name; one that replaced a file does
 * not.
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
 * Whether pruning can change how a span is counted. It cannot for a file that had the name alone
 * from the beginning.
 */
function isCounted(core: Core, { numbered, span }: NumberedEntry): boolean {
  const { version: first, number, replaced, begins } = numbered
  return first !== 1 || number !== 1 || replaced === 1 || (begins === 1 && mayGrow(core, span))
}

/** Deletes numbers of inodes of which nothing is left. */
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
 * Names lead to an inode as long as it has a state, and need its numbers even when no version is
 * left.
 */
function isOfUse({ overlay }: Core, ino: number): boolean {
  const range = { gte: [ino], lt: [ino + 1], limit: 1 }
  return overlay.scan(inodePast, range).length > 0 || overlay.get(inodes, [ino]) !== undefined
}
