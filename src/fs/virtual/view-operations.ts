// The operations of the virtual tree, put together: each finds the view behind a number
// (view-nodes.ts), runs the operation of its kind, and refuses what the kind does not take. Open
// directories are here.

import { EBADF, ENOTDIR, fail } from '../../base/errno.ts'
import { isDirectory } from '../../base/mode.ts'
import { MAY_READ } from '../access.ts'
import type { FsContext } from '../context.ts'
import type { Node, Operations } from '../operations.ts'
import { cacheListings } from './cached-listings.ts'
import { evictPast } from './evict-past.ts'
import { createListings } from './listings.ts'
import { rootView } from './root-view.ts'
import type { ViewContext } from './view.ts'
import { attributeOperations, contentOperations } from './view-content.ts'
import { announceChanges, createViewContext } from './view-context.ts'
import { type EntryOperations, entryOperations } from './view-entries.ts'
import { createViewNodes } from './view-nodes.ts'

/** Operations on numbers from VIEW_BASE on, and what the router needs of them. */
export interface ViewOperations
  extends Omit<Operations, 'statfs' | 'syncfs' | 'releasedir' | 'copyFileRange'>,
    EntryOperations {
  readonly context: ViewContext
  /** Resolves when the kernel knows what has changed so far in views that it keeps. */
  kernelNotified(): Promise<void>
  /** Lets go of what can be had again. */
  dropCaches(): void
  /** Returns false when the handle is not one of a view. */
  releasedir(handle: number): boolean
  /** The .avfs of a directory; counts one lookup. */
  enter(directory: number): Node
}

export function createViewOperations(fs: FsContext): ViewOperations {
  const context = createViewContext(fs)
  const cachedListings = cacheListings(context)
  const kernelNotified = announceChanges(context)
  const nodes = createViewNodes(context, (number) => cachedListings.forget(number))
  const listings = createListings(context, nodes)
  return {
    context,
    kernelNotified,
    dropCaches() {
      listings.drop()
      evictPast(context)
    },
    enter: (directory) => nodes.give(rootView(directory)),
    forget: nodes.forget,
    ...entryOperations(context, nodes),
    ...contentOperations(context, nodes),
    ...attributeOperations(context, nodes),
    opendir(caller, ino) {
      const view = nodes.viewOf(ino)
      if (!isDirectory(view.kind.attributes(context, view).mode)) fail(ENOTDIR)
      view.kind.assertAccess?.(context, caller, view, MAY_READ)
      const opened = cachedListings.open(fs.handles.next(caller.uid), view)
      const handle = fs.handles.open(caller.uid)
      listings.open(handle, caller, view)
      return { handle, ...opened }
    },
    readdir: (_caller, _ino, handle, cookie, plus, take) =>
      (listings.get(handle) ?? fail(EBADF)).read(cookie, plus, take),
    releasedir(handle) {
      cachedListings.close(handle)
      const isOurs = listings.close(handle)
      if (isOurs) fs.handles.close(handle)
      return isOurs
    },
  }
}
