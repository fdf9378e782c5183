// Deleted names that the kernel keeps for a while, so that programs which list first and look at each name then need not ask for all of
// them again. What deleted/ shows under a name changes with the names of the directory: here is what tells the kernel, and what
// makes it ask for one that is moved.

import { setTimeout as sleep } from 'node:timers/promises'
import { ESTALE, fail } from '../../base/errno.ts'
import { entryPast } from '../../store/collections.ts'
import { inBackground } from '../../store/retry.ts'
import { deletedAs } from '../../vault/history/deleted.ts'
import { watchNames } from '../../vault/tree/directory.ts'
import type { FsContext } from '../context.ts'
import type { Shown, View, Views } from './view.ts'

/** How long a name is good for: as long as find(1) and cp(1) take from a large listing to what it listed. */
export const SHOWN_MS = 10_000
/** The kernel counts in ticks, from when it hears. */
export const MARGIN_MS = 50

/** Notes that a name of this deleted/ is on its way to the kernel, which keeps it. */
export function noteShown({ shown }: Views, { directory, number }: View, name: string): void {
  const before = shown.get(directory)
  // Anew at the end, so that the oldest is the first.
  shown.delete(directory)
  const [oldest] = shown
  if (oldest !== undefined && oldest[1].untilMs < performance.now()) shown.delete(oldest[0])
  const its: Shown = before ?? { number, untilMs: 0, refused: new Set(), forgotten: new Set() }
  its.untilMs = performance.now() + SHOWN_MS + MARGIN_MS
  its.forgotten.delete(name)
  shown.set(directory, its)
}

/** Tells the kernel when a name that it keeps leads elsewhere: somebody made or deleted the name in the directory, or prune let it go. */
export function announceDeleted(views: Views): void {
  const { core } = views.fs
  watchNames(core, (directory, name) => heard(views, directory, name))
  core.overlay.watch(entryPast, ([directory, name], row) => {
    if (row === undefined && typeof name === 'string') heard(views, directory as number, name)
  })
}

function heard({ fs, shown }: Views, directory: number, name: string): void {
  const its = shown.get(directory)
  if (its === undefined) return
  if (performance.now() > its.untilMs) shown.delete(directory)
  // The change is made already: a read that must wait may not run it again.
  else void inBackground(() => tell(fs, its.number, directory, name))
}

function tell({ core, notices }: FsContext, number: number, directory: number, name: string): void {
  for (const listed of deletedAs(core, directory, name)) void notices?.entryChanged(number, listed)
}

/** Whether a name is looked up because `askAnew` refused to move it: then the kernel may not keep it. */
export function isAskedAnew({ shown }: Views, directory: number, name: string): boolean {
  const its = shown.get(directory)
  if (its?.refused.has(name) !== true) return false
  its.forgotten.add(name)
  return true
}

/**
 * Before a name is moved: the kernel moves it with the node that it leads to, which it may not go on to keep. Throws ESTALE, at which
 * rename(2) looks up again whatever is on the way and asks once more (retry_estale in fs/namei.c).
 */
export function askAnew({ fs, shown }: Views, directory: number, name: string): void {
  const its = shown.get(directory)
  if (fs.notices === undefined || its === undefined || !isKept(its, name) || its.refused.has(name))
    return
  its.refused.add(name)
  fail(ESTALE)
}

/** Resolves when the kernel does not keep a name any more: at once, as it was asked for anew. */
export async function untilForgotten(
  { fs, shown }: Views,
  directory: number,
  name: string,
): Promise<void> {
  const its = shown.get(directory)
  if (fs.notices === undefined || its === undefined) return
  if (isKept(its, name)) await sleep(its.untilMs - performance.now())
  its.refused.delete(name)
  its.forgotten.delete(name)
}

function isKept({ untilMs, forgotten }: Shown, name: string): boolean {
  return performance.now() < untilMs && !forgotten.has(name)
}
