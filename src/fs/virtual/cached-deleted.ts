// Deleted names that the kernel keeps for a while, so that programs which list first and look at
// each name then need not ask for all of them again. What deleted/ shows under a name changes with
// the names of the directory: here is what tells the kernel, and what makes it ask for one that is
// moved.

import { setTimeout as sleep } from 'node:timers/promises'
import { ESTALE, fail } from '../../base/errno.ts'
import { entryPast } from '../../store/collections.ts'
import { inBackground } from '../../store/retry.ts'
import { deletedAs } from '../../vault/history/deleted.ts'
import { watchNames } from '../../vault/tree/directory.ts'
import type { FsContext } from '../context.ts'
import type { CachedNames, View, ViewContext } from './view.ts'

/**
 * How long a name may be cached: find(1) and cp(1) take about that long from a large listing to the
 * files in it.
 */
export const DELETED_CACHED_MS = 10_000
/** The kernel counts in ticks, from when it hears. */
const MARGIN_MS = 50

/** Notes that the kernel is about to cache a name of this deleted/. */
export function noteCached(
  { cachedDeleted }: ViewContext,
  { directory, number }: View,
  name: string,
): void {
  const before = cachedDeleted.get(directory)
  // Anew at the end, so that the oldest is the first.
  cachedDeleted.delete(directory)
  const [oldest] = cachedDeleted
  if (oldest !== undefined && oldest[1].untilMs < performance.now()) cachedDeleted.delete(oldest[0])
  const names: CachedNames = before ?? {
    number,
    untilMs: 0,
    refused: new Set(),
    forgotten: new Set(),
  }
  names.untilMs = performance.now() + DELETED_CACHED_MS + MARGIN_MS
  names.forgotten.delete(name)
  cachedDeleted.set(directory, names)
}

/**
 * Tells the kernel when a name that it keeps leads elsewhere: somebody made or deleted the name in
 * the directory, or prune let it go.
 */
export function announceDeleted(context: ViewContext): void {
  const { core } = context.fs
  watchNames(core, (directory, name) => nameChanged(context, directory, name))
  core.overlay.watch(entryPast, ([directory, name], row) => {
    if (row === undefined && typeof name === 'string')
      nameChanged(context, directory as number, name)
  })
}

function nameChanged({ fs, cachedDeleted }: ViewContext, directory: number, name: string): void {
  const names = cachedDeleted.get(directory)
  if (names === undefined) return
  if (performance.now() > names.untilMs) cachedDeleted.delete(directory)
  // In the background, since a Fault must not repeat the operation that made the change.
  else void inBackground(() => sendNotices(fs, names.number, directory, name))
}

function sendNotices(
  { core, notices }: FsContext,
  number: number,
  directory: number,
  name: string,
): void {
  for (const listed of deletedAs(core, directory, name)) void notices?.entryChanged(number, listed)
}

/**
 * Whether a name is looked up because `forceLookup` refused to move it: then the kernel may not
 * keep it.
 */
export function isForcedLookup(
  { cachedDeleted }: ViewContext,
  directory: number,
  name: string,
): boolean {
  const names = cachedDeleted.get(directory)
  if (names?.refused.has(name) !== true) return false
  names.forgotten.add(name)
  return true
}

/**
 * Before a name is moved: the kernel moves it with the node that it leads to, which it may not go
 * on to keep. Throws ESTALE, at which rename(2) looks up again whatever is on the way and asks once
 * more (retry_estale in fs/namei.c).
 */
export function forceLookup(
  { fs, cachedDeleted }: ViewContext,
  directory: number,
  name: string,
): void {
  const names = cachedDeleted.get(directory)
  if (
    fs.notices === undefined ||
    names === undefined ||
    !isCached(names, name) ||
    names.refused.has(name)
  )
    return
  names.refused.add(name)
  fail(ESTALE)
}

/** Resolves when the kernel does not cache a name any more; after `forceLookup` that is at once. */
export async function untilForgotten(
  { fs, cachedDeleted }: ViewContext,
  directory: number,
  name: string,
): Promise<void> {
  const names = cachedDeleted.get(directory)
  if (fs.notices === undefined || names === undefined) return
  if (isCached(names, name)) await sleep(names.untilMs - performance.now())
  names.refused.delete(name)
  names.forgotten.delete(name)
}

function isCached({ untilMs, forgotten }: CachedNames, name: string): boolean {
  return performance.now() < untilMs && !forgotten.has(name)
}
