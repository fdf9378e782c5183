// Deleted names that the kernel keeps for a moment after it listed them, so that `ls -l` asks for many at once. What deleted/ shows
// under a name changes with the names of the directory: here is what tells the kernel, and what waits until it has forgotten.

import { setTimeout as sleep } from 'node:timers/promises'
import { deletedAs } from '../../vault/deleted.ts'
import { watchNames } from '../../vault/directory.ts'
import type { View, Views } from './view.ts'

/** How long a listed name is good for: much longer than from a listing to the stat(2) of what it listed. */
export const SHOWN_MS = 250
/** The kernel counts in ticks, from when it hears. */
const MARGIN_MS = 50

/** Notes that names of this deleted/ are on their way to the kernel. */
export function noteShown({ shown }: Views, { directory, number }: View): void {
  shown.set(directory, { number, untilMs: performance.now() + SHOWN_MS + MARGIN_MS })
}

/** Tells the kernel when a name that it keeps leads elsewhere: somebody made or deleted the name in the directory. */
export function announceDeleted({ fs, shown }: Views): void {
  watchNames(fs.core, (directory, name) => {
    const its = shown.get(directory)
    if (its === undefined) return
    if (performance.now() > its.untilMs) shown.delete(directory)
    else
      for (const listed of deletedAs(fs.core, directory, name))
        fs.notices?.entryChanged(its.number, listed)
  })
}

/** Resolves when the kernel asks for each name of a deleted/ again. */
export async function untilForgotten({ shown }: Views, directory: number): Promise<void> {
  const leftMs = (shown.get(directory)?.untilMs ?? 0) - performance.now()
  if (leftMs > 0) await sleep(leftMs)
}
