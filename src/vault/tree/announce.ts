// Tells the kernel what a command changed without going through it, so that the changes show at
// once, and makes it write back what it still has. Skips inodes and directories that the kernel
// does not hold.

import { isRegular } from '../../base/mode.ts'
import { inBackground } from '../../store/retry.ts'
import type { Core } from '../core/core.ts'
import { type Changes, Gathered } from '../core/gathered.ts'
import { nobody, type Observer } from '../core/observer.ts'
import { findInode } from './inodes.ts'
import { namesOfInode } from './names.ts'

/**
 * The kernel that has the vault mounted: it must be told of changes that do not come through it,
 * and knows which inodes are in use.
 */
export interface Kernel {
  /**
   * Triggers inotify events for the changes; resolves when they were delivered, or after a while.
   */
  echo?(changes: Changes): Promise<void>
  /** Drops the cached entry `name` of directory `parent`; resolves when that is done. */
  entryChanged(parent: number, name: string): Promise<void>
  /** Drops cached data of an inode; dirty pages are written back before this resolves. */
  inodeChanged(ino: number): Promise<void>
  /** Resolves when the kernel knows what prune has removed so far. */
  told?(): Promise<void>
  /** True while the kernel knows the inode: it stays usable without a name. */
  holds(ino: number): boolean
}

interface Announcer extends Observer {
  /** Resolves when the kernel knows everything that was announced. */
  sent(): Promise<void>
}

/** An observer that tells `kernel`; without a kernel it does nothing. */
export function announcer(core: Core, kernel: Kernel | undefined): Announcer {
  if (kernel === undefined) return { ...nobody, sent: () => Promise.resolve() }
  const inodes = new Set<number>()
  const changes = new Gathered()
  const pending = new Set<Promise<void>>()
  const wait = (told: Promise<void>): void => {
    pending.add(told)
    void told.then(() => pending.delete(told))
  }
  const tellName = (parent: number, name: string): void => {
    if (!kernel.holds(parent)) return
    wait(kernel.entryChanged(parent, name))
    inodes.add(parent)
  }
  return {
    isHeld: kernel.holds,
    async writtenBack(ino) {
      if (kernel.holds(ino)) await kernel.inodeChanged(ino)
    },
    nameChanged(parent, name, before, after) {
      changes.addName(parent, name, before, after)
      tellName(parent, name)
    },
    inodeChanged(ino) {
      // Programs that watch the directory hear of it, too.
      changes.addInode(ino)
      if (!kernel.holds(ino)) return
      inodes.add(ino)
      // The kernel trusts its own size and times of a file until every name of it is dropped. Of a
      // directory it accepts new ones at once, and dropping its name would break the working
      // directory of processes in it.
      wait(
        inBackground(() => {
          const inode = findInode(core, ino)
          if (inode === undefined || !isRegular(inode.mode)) return
          for (const { parent, name } of namesOfInode(core, inode)) tellName(parent, name)
        }),
      )
    },
    async sent() {
      while (pending.size > 0) await Promise.all(pending)
      for (const ino of inodes) await kernel.inodeChanged(ino)
      inodes.clear()
      await kernel.echo?.(changes.take())
    },
  }
}
