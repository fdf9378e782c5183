// Names in trees of the past that the kernel may keep: the past stays what it is, and who may come to it changes with the directories
// of today. So they are kept below directories that are open to everybody now, and dropped when one of those closes; all others are
// asked for each time, by whoever wants to go there. See past-rights.ts.

import { EACCES, fail } from '../../base/errno.ts'
import { inBackground } from '../../store/retry.ts'
import { followOpenness } from '../open-now.ts'
import type { Caller } from '../operations.ts'
import { mayComeNow, seesAll } from '../past-rights.ts'
import { readerOf } from '../reach.ts'
import type { PastView } from './past.ts'
import type { KeptPast, View, Views } from './view.ts'

export function keepPast({ fs, held }: Pick<Views, 'fs' | 'held'>): KeptPast {
  const isOpen = followOpenness(fs.core, () => void inBackground(tell))

  function tell(): void {
    for (const { view } of held.values()) {
      const above = held.get(view.up)?.view
      if (view.name === undefined || above === undefined || !isPast(view)) continue
      if (isPast(above) && !isOpen(above.ino)) void fs.notices?.entryChanged(view.up, view.name)
    }
  }
  return { isKept: (directory) => !fs.shared || isOpen(directory) }
}

export function isPast(view: View): view is PastView {
  return 'tree' in view
}

/** Throws EACCES unless the caller may do that today in a directory of the past; the kernel has asked whether he might then. */
export function assertMayComeNow(
  { fs, past }: Views,
  caller: Caller,
  { ino, tree }: PastView,
  wanted: number,
): void {
  if (seesAll(fs, caller) || past.isKept(ino)) return
  if (!mayComeNow(fs, readerOf(caller), ino, tree.directory, wanted)) fail(EACCES)
}
