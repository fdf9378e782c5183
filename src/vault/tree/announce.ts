// Tells the kernel what a command changed below it, so that it shows at once, and asks it for what
// it still has. Inodes and directories that it does not hold are no concern of it.

import { isRegular } from '../../base/mode.ts'
import { inBackground } from '../../store/retry.ts'
import type { Core } from '../core/core.ts'
import { type Changes, Gathered } from '../core/gathered.ts'
import { nobody, type Observer } from '../core/observer.ts'
import { findInode } from './inodes.ts'
import { namesOfInode } from './names.ts'

/**
 * The kernel that has the vault mounted: what it must be told of changes that do not come through
 * it, and what it holds.
 */
export interface Kernel {
  /**
   * Lets programs that watch directories hear of changes; resolves when they have, or after a
   * while.
   */
  echo?(changes: Changes): Promise<void>
  /** Drops the cached entry `name` of directory `parent`; resolves when that is done. */
  entryChanged(parent: number, name: string): Promise<void>
  /**
   * Drops cached data of an inode; what was not written back of it arrives before this resolves.
   */
  inodeChanged(ino: number): Promise<void>
  /** Resolves when it knows what prune let go of so far. */
  told?(): Promise<void>
  /** True while the kernel knows the inode: one that loses its last name stays usable. */
  holds(ino: number): boolean
}

interface Announcer extends Observer {
  /** Resolves when the kernel knows everything that was announced. */
  sent(): Promise<void>
}

/** Without a kernel nobody has to be told. */
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
      // Whoever watches the directory hears of it, too.
      changes.addInode(ino)
      if (!kernel.holds(ino)) return
      inodes.add(ino)
      // The kernel believes its own size and times of a file until it has forgotten every name of
      // it. A directory is believed at once, and who works in it would lose its path.
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
