// What all views of a vault share, made once a mount.

import { birthOf } from '../../vault/history/timeline.ts'
import type { FsContext } from '../context.ts'
import { announceDeleted } from './cached-deleted.ts'
import { cachePast } from './cached-past.ts'
import { cacheTagged } from './cached-tagged.ts'
import { announceGuards, announceSnapshots, announceTags } from './fixed-views.ts'
import { HeldContent } from './held-content.ts'
import { announcePruned } from './prune-notices.ts'
import { ticksOf } from './row-ticks.ts'
import { announceVersions } from './version-notices.ts'
import type { ViewContext } from './view.ts'

export function createViewContext(fs: FsContext): ViewContext {
  const held: ViewContext['held'] = new Map()
  return {
    fs,
    birth: birthOf(fs.core),
    held,
    fixed: { byDirectory: new Map(), byPath: new Map() },
    copies: new Map(),
    finishedRenames: new Map(),
    ticks: ticksOf(fs.core),
    content: new HeldContent(),
    tagged: cacheTagged(fs),
    past: cachePast({ fs, held }),
    cachedDeleted: new Map(),
  }
}

/**
 * Follows all changes of what the kernel caches. The function returned resolves when it was
 * notified of those made so far.
 */
export function announceChanges(context: ViewContext): () => Promise<void> {
  announceGuards(context)
  announceSnapshots(context)
  announceTags(context)
  announceDeleted(context)
  const kernelNotified = announcePruned(context)
  announceVersions(context)
  return kernelNotified
}
