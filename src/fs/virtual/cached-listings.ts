// Which listings of views the kernel may go on with. It keeps what it read of a directory
// (FOPEN_CACHE_DIR) for whoever opens that next, and asks at each opendir(3): what it has is good
// while the rows are the same that the listing was made of, and only where everybody is shown the
// same.

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

interface CachedListing {
  readonly view: View
  /**
   * The tick when the kernel began to read what it has cached, through `handles`, of which some may
   * be open.
   */
  readonly tick: number
  readonly handles: Set<number>
}

const NOTHING: Opened = { cacheable: false, anew: true }

export function cacheListings(context: ViewContext): ListingCache {
  const cached = new Map<number, CachedListing>()
  const open = new Map<number, CachedListing>()

  /**
   * A program may read an open directory from its beginning once more (rewinddir(3)): it must not
   * get what was cached before.
   */
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
      const before = cached.get(number)
      const isSame = before?.tick === tick
      // Others are still filling the kernel's cache with a listing that is out of date.
      if (before !== undefined && !isSame && before.handles.size > 0) return NOTHING
      if (!isSame && kind.isCommon?.(context, view) === false) return NOTHING
      const listing = isSame ? before : { view, tick, handles: new Set<number>() }
      listing.handles.add(handle)
      cached.set(number, listing)
      open.set(handle, listing)
      return { cacheable: true, anew: !isSame }
    },
    close(handle) {
      open.get(handle)?.handles.delete(handle)
      open.delete(handle)
    },
    forget: (number) => cached.delete(number),
  }
}
