// The kernel caches what views show of the past without limit, since the past does not change,
// until prune or purge removes some of it. Then it is notified from here.

import { setImmediate } from 'node:timers/promises'
import { log } from '../../base/log.ts'
import { type Collection, entryPast, inodePast, type Key } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Core } from '../../vault/core/core.ts'
import { inodeAt } from '../../vault/history/timeline.ts'
import { isPast } from './cached-past.ts'
import { pastDirectoryKind } from './past-directory.ts'
import type { PastView } from './past-tree.ts'
import type { ViewContext } from './view.ts'

/**
 * Notices wait this long to be sent together, unless somebody waits for them: prune removes
 * thousands of rows.
 */
const WAIT_MS = 250
/** Nodes that are checked between two turns of the event loop. */
const TOGETHER = 500

/** What was let go of: states of inodes, and names as `directory/name`. */
class Gone {
  readonly inos = new Set<number>()
  readonly names = new Set<string>()

  get isEmpty(): boolean {
    return this.inos.size + this.names.size === 0
  }
}

/**
 * Follows what is let go of, as long as the kernel has anything of a view. Returns what resolves
 * when the kernel knows of all that it was or is to be told of rows that changed.
 */
export function announcePruned(context: ViewContext): () => Promise<void> {
  const { overlay } = context.fs.core
  let gone = new Gone()
  let telling: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined

  const sendAll = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    if (gone.isEmpty) return telling
    const batch = gone
    gone = new Gone()
    telling = telling
      .then(() => sendNotices(context, batch))
      .catch((error: unknown) => log('error', 'the kernel was not told what is pruned', error))
    return telling
  }
  const follow = <R extends object>(collection: Collection<R>, note: (key: Key) => void): void =>
    overlay.watch(collection, (key, row) => {
      if (row !== undefined || context.held.size === 0) return
      note(key)
      timer ??= setTimeout(() => void sendAll(), WAIT_MS).unref()
    })
  follow(inodePast, ([ino]) => gone.inos.add(ino as number))
  follow(entryPast, ([directory, name]) => gone.names.add(`${directory}/${name}`))
  return async () => {
    // Other watchers of rows send their notices after the step that changed them.
    await setImmediate()
    await sendAll()
    await context.fs.notices?.sent()
  }
}

async function sendNotices({ fs, held }: ViewContext, gone: Gone): Promise<void> {
  const { notices } = fs
  if (notices === undefined) return
  const sent: Promise<void>[] = []
  let count = 0
  for (const { view } of [...held.values()]) {
    if (!isPast(view)) continue
    // The kernel keeps its list.
    if (view.kind === pastDirectoryKind) sent.push(notices.inodeChanged(view.number))
    const above = held.get(view.up)?.view
    if (gone.names.has(`${above?.ino}/${view.name}`) || (await isGone(fs.core, gone, view))) {
      sent.push(notices.inodeChanged(view.number))
      if (view.name !== undefined) sent.push(notices.entryChanged(view.up, view.name))
    }
    if (++count % TOGETHER === 0) await Promise.all(sent.splice(0))
  }
  await Promise.all(sent)
}

async function isGone(core: Core, { inos }: Gone, { ino, tree }: PastView): Promise<boolean> {
  return (
    inos.has(ino) && (await retryUntilLoaded(() => inodeAt(core, ino, tree.moment) === undefined))
  )
}
