// Which listings of views the kernel may go on with. It keeps what it read of a directory (FOPEN_CACHE_DIR) for whoever opens that
// next, and asks at each opendir(3): what it has is good while the rows are the same that the listing was made of, and only where
// everybody is shown the same.

import { afterStep } from '../../base/step.ts'
import type { View, ViewContext } from './view.ts'

/** How the kernel is answered; see Operations.opendir. */
interface Opened {
  readonly cacheable: boolean
  readonly anew: boolean
}

interface ListingCache {
  open(handle: number, view: View): Opened
  close(handle: number): void
  /** The kernel let go of a directory, and of all that it kept. */
  forget(number: number): void
}

interface Kept {
  readonly view: View
  /** Of when the kernel began to read what it has, by those of `handles` that are still open. */
  readonly tick: number
  readonly handles: Set<number>
}

const NOTHING: Opened = { cacheable: false, anew: true }

export function cacheListings(context: ViewContext): ListingCache {
  const kept = new Map<number, Kept>()
  const open = new Map<number, Kept>()

  /** Who reads a directory from its beginning once more, without opening it, must not meet what was kept before. */
  const check = afterStep(() => {
    for (const { view, tick } of new Set(open.values()))
      if (view.kind.tick?.(context, view) !== tick)
        void context.fs.notices?.inodeChanged(view.number)
  })
  context.ticks.onTick = () => {
    if (open.size > 0) check()
  }

  return {
    open(handle, view) {
      const { kind, number } = view
      const tick = kind.tick?.(context, view)
      if (tick === undefined) return NOTHING
      const before = kept.get(number)
      const isSame = before?.tick === tick
      // What others are still reading into the kernel is no longer what is there.
      if (before !== undefined && !isSame && before.handles.size > 0) return NOTHING
      if (!isSame && kind.isCommon?.(context, view) === false) return NOTHING
      const listing = isSame ? before : { view, tick, handles: new Set<number>() }
      listing.handles.add(handle)
      kept.set(number, listing)
      open.set(handle, listing)
      return { cacheable: true, anew: !isSame }
    },
    close(handle) {
      open.get(handle)?.handles.delete(handle)
      open.delete(handle)
    },
    forget: (number) => kept.delete(number),
  }
}
