// What tells the kernel when a name in tags/TAG that it keeps leads elsewhere: when one of the
// labelled files of its family comes, goes or is renamed (cached-tags.ts). Only names that
// everybody is shown alike are kept, so that a directory on the way which closes drops all.

import { DT_DIR, isDirectory } from '../../base/mode.ts'
import { afterStep } from '../../base/step.ts'
import {
  CREATED,
  entry,
  hardlink,
  inode as inodes,
  type Key,
  tagging,
  xattr,
} from '../../store/collections.ts'
import { inBackground } from '../../store/retry.ts'
import type { Core } from '../../vault/core/core.ts'
import { findInode } from '../../vault/tree/inodes.ts'
import { isOpenToAll } from '../access.ts'
import type { FsContext } from '../context.ts'
import { CachedTags } from './cached-tags.ts'
import type { TaggedNameCache } from './view.ts'

/** What changed since the kernel was told last. */
interface Changes {
  all: boolean
  readonly inos: Set<number>
  readonly labels: Map<number, Set<string>>
}

export function cacheTagged(fs: FsContext): TaggedNameCache {
  const tags = new CachedTags(fs)
  const changes: Changes = { all: false, inos: new Set(), labels: new Map() }
  // In the background, since a Fault must not repeat the operation that made the change.
  const sendSoon = afterStep(() => void inBackground(() => sendNotices(fs.core, tags, changes)))
  followChanges(fs.core, tags, changes, sendSoon)
  return tags
}

function followChanges(
  { overlay }: Core,
  tags: CachedTags,
  changes: Changes,
  sendSoon: () => void,
): void {
  function note(change: () => void): void {
    if (tags.isEmpty) return
    change()
    sendSoon()
  }

  function labelled([ino, tag]: Key): void {
    note(() => {
      const labels = changes.labels.get(ino as number) ?? new Set()
      changes.labels.set(ino as number, tag === undefined ? labels : labels.add(tag as string))
    })
  }

  overlay.watch(tagging, labelled)
  overlay.watch(hardlink, labelled)
  overlay.watch(inodes, ([ino], row) => {
    const isAffected = row === undefined || row.tags > 0 || tags.concerns(ino as number)
    if (isAffected) note(() => changes.inos.add(ino as number))
  })
  overlay.watch(xattr, ([ino]) => {
    if (tags.isOnTheWay(ino as number)) note(() => changes.inos.add(ino as number))
  })
  overlay.watch(entry, (_key, row) => {
    // A directory was moved, and all that is below it.
    if (row?.type === DT_DIR && row.origin !== CREATED) note(() => (changes.all = true))
  })
}

function sendNotices(core: Core, tags: CachedTags, changes: Changes): void {
  for (const ino of changes.inos)
    if (tags.isOnTheWay(ino) && !isStillOpen(core, ino)) changes.all = true
  if (changes.all) tags.dropAll()
  else {
    for (const ino of changes.inos)
      if (!tags.isOnTheWay(ino) && !tags.isWhereItWas(ino)) tags.dropNamesOf(ino, [])
    for (const [ino, labels] of changes.labels) tags.dropNamesOf(ino, labels)
  }
  changes.all = false
  changes.inos.clear()
  changes.labels.clear()
}

function isStillOpen(core: Core, ino: number): boolean {
  const inode = findInode(core, ino)
  return inode !== undefined && isDirectory(inode.mode) && isOpenToAll(core, inode)
}
