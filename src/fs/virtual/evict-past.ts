// When memory is short: the kernel is told to let go of what it keeps of the past, since each node
// that it knows is a record here. It keeps what somebody has open, and asks again for the rest.

import type { PastView } from './past-tree.ts'
import type { ViewContext } from './view.ts'

/** Trees of the past that are evicted at a time, those first that the kernel has known longest. */
const TOGETHER = 1000

/** Has the kernel drop the name at the top of each tree, and with it the whole tree. */
export function evictPast({ fs, held }: ViewContext): void {
  let count = 0
  for (const { view } of held.values()) {
    const { tree, ino, up, name } = view as Partial<PastView> & typeof view
    if (tree === undefined || ino !== tree.root || name === undefined) continue
    void fs.notices?.entryChanged(up, name)
    if (++count === TOGETHER) return
  }
}
