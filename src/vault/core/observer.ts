// The interface to whoever has the vault mounted while a command changes it: the kernel, and
// through it every program. Implemented in announce.ts and by the views.

import type { EntryRow } from '../../store/collections.ts'
import type { Target } from './gathered.ts'

export interface Observer {
  /** True while the inode may be in use even without a name. */
  isHeld(ino: number): boolean
  /**
   * Resolves when what programs wrote to an inode, and the kernel still caches, is in the vault.
   */
  writtenBack(ino: number): Promise<void>
  /** Called with each name that leads to another inode now, and what it led to before and after. */
  nameChanged(
    parent: number,
    name: string,
    before: EntryRow | undefined,
    after: Target | undefined,
  ): void
  /** Called with each inode that changed and still exists. */
  inodeChanged(ino: number): void
}

/** For a vault that is not mounted. */
export const nobody: Observer = {
  isHeld: () => false,
  writtenBack: () => Promise.resolve(),
  nameChanged: () => undefined,
  inodeChanged: () => undefined,
}
