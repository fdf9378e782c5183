// Names in trees of the past that the kernel may keep: the past stays what it is, and who may come
// to it changes with the directories of today. So they are kept below directories that are open to
// everybody now, and dropped when one of those closes; all others are asked for each time, by
// whoever wants to go there. See past-access.ts.

import { EACCES, fail } from '../../base/errno.ts'
import { inBackground } from '../../store/retry.ts'
import { readerOf } from '../access.ts'
import { followOpenness } from '../open-now.ts'
import type { Caller } from '../operations.ts'
import { mayAccessNow, seesAll } from '../past-access.ts'
import type { PastView } from './past-tree.ts'
import type { PastNameCache, View, ViewContext } from './view.ts'

export function cachePast({ fs, held }: Pick<ViewContext, 'fs' | 'held'>): PastNameCache {
  const isOpen = followOpenness(fs.core, () => void inBackground(sendNotices))

  function sendNotices(): void {
    for (const { view } of held.values()) {
      const above = held.get(view.up)?.view
      if (view.name === undefined || above === undefined || !isPast(view)) continue
      if (isPast(above) && !isOpen(above.ino)) void fs.notices?.entryChanged(view.up, view.name)
    }
  }
  return { isCacheable: (directory) => !fs.shared || isOpen(directory) }
}

export function isPast(view: View): view is PastView {
  return 'tree' in view
}

/**
 * Throws EACCES unless the caller has the access today to a directory of the past; the kernel has
 * checked that he had it then.
 */
export function assertMayAccessNow(
  { fs, past }: ViewContext,
  caller: Caller,
  { ino, tree }: PastView,
  wanted: number,
): void {
  if (seesAll(fs, caller) || past.isCacheable(ino)) return
  if (!mayAccessNow(fs, readerOf(caller), ino, tree.directory, wanted)) fail(EACCES)
}
