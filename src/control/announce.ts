// Tells the kernel what a command changed below it, so that it shows at once.

import { isRegular } from '../base/mode.ts'
import { hardlink } from '../store/collections.ts'
import { soon } from '../store/retry.ts'
import type { Core } from '../vault/core.ts'
import { findInode } from '../vault/inodes.ts'
import type { Kernel } from './methods.ts'

export interface Announcer {
  nameChanged(parent: number, name: string): void
  inodeChanged(ino: number): void
  isHeld(ino: number): boolean
  /** Resolves when the kernel knows everything that was announced. */
  sent(): Promise<void>
}

const LINKS_MAX = 65_000

/** Without a kernel nobody has to be told. */
export function announcer(core: Core, kernel: Kernel | undefined): Announcer {
  const inodes = new Set<number>()
  const names = new Set<Promise<void>>()
  const nameChanged = (parent: number, name: string): void => {
    if (kernel === undefined) return
    kernel.entryChanged(parent, name)
    inodes.add(parent)
  }
  return {
    nameChanged,
    inodeChanged(ino) {
      if (kernel === undefined) return
      inodes.add(ino)
      // The kernel believes its own size and times of a file until it has forgotten every name of it. A directory is believed
      // at once, and who works in it would lose its path.
      const told = soon(() => {
        for (const { parent, name } of namesOf(core, ino)) nameChanged(parent, name)
      })
      names.add(told)
      void told.then(() => names.delete(told))
    },
    isHeld: (ino) => kernel?.holds(ino) === true,
    async sent() {
      await Promise.all(names)
      for (const ino of inodes) await kernel?.inodeChanged(ino)
      inodes.clear()
    },
  }
}

function namesOf(core: Core, ino: number): { parent: number; name: string }[] {
  const inode = findInode(core, ino)
  if (inode === undefined || !isRegular(inode.mode) || inode.name === '') return []
  const links = core.overlay.scan(hardlink, { gte: [ino], lt: [ino + 1], limit: LINKS_MAX })
  return [{ parent: inode.parent, name: inode.name }, ...links]
}
