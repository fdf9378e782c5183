// Deleted names that the kernel keeps for a moment after it listed them, so that `ls -l` asks for many at once. What deleted/ shows
// under a name changes with the names of the directory: here is what tells the kernel, and what waits until it has forgotten.

import { setTimeout as sleep } from 'node:timers/promises'
import { soon } from '../../store/retry.ts'
import { deletedAs } from '../../vault/deleted.ts'
import { watchNames } from '../../vault/directory.ts'
import type { FsContext } from '../context.ts'
import type { View, Views } from './view.ts'

/** How long a listed name is good for: much longer than from a listing to the stat(2) of what it listed. */
export const SHOWN_MS = 250
/** The kernel counts in ticks, from when it hears. */
const MARGIN_MS = 50

/** Notes that names of this deleted/ are on their way to the kernel. */
export function noteShown({ shown }: Views, { directory, number }: View): void {
  // Anew at the end, so that the oldest is the first.
  shown.delete(directory)
  const [oldest] = shown
  if (oldest !== undefined && oldest[1].untilMs < performance.now()) shown.delete(oldest[0])
  shown.set(directory, { number, untilMs: performance.now() + SHOWN_MS + MARGIN_MS })
}

/** Tells the kernel when a name that it keeps leads elsewhere: somebody made or deleted the name in the directory. */
export function announceDeleted({ fs, shown }: Views): void {
  watchNames(fs.core, (directory, name) => {
    const its = shown.get(directory)
    if (its === undefined) return
    if (performance.now() > its.untilMs) shown.delete(directory)
    // The change is made already: a read that must wait may not run it again.
    else void soon(() => tell(fs, its.number, directory, name))
  })
}

function tell({ core, notices }: FsContext, number: number, directory: number, name: string): void {
  for (const listed of deletedAs(core, directory, name)) void notices?.entryChanged(number, listed)
}

/** Resolves when the kernel asks for each name of a deleted/ again. */
export async function untilForgotten({ shown }: Views, directory: number): Promise<void> {
  const leftMs = (shown.get(directory)?.untilMs ?? 0) - performance.now()
  if (leftMs > 0) await sleep(leftMs)
}
