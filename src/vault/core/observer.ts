// Who looks on while a command changes a vault: the kernel that has it mounted, and through it
// every program. What is to be asked and told is here; announce.ts and the views answer.

import type { EntryRow } from '../../store/collections.ts'
import type { Target } from './gathered.ts'

export interface Observer {
  /** True while somebody may use the inode although it has no name. */
  isHeld(ino: number): boolean
  /**
   * Resolves when what programs have written into an inode, and the kernel still keeps, is in the
   * vault.
   */
  writtenBack(ino: number): Promise<void>
  /**
   * Hears of each name that leads to something else now, of what it led to and what it leads to.
   */
  nameChanged(
    parent: number,
    name: string,
    before: EntryRow | undefined,
    after: Target | undefined,
  ): void
  /** Hears of each inode that changed and is there still. */
  inodeChanged(ino: number): void
}

/** Where nothing is mounted. */
export const nobody: Observer = {
  isHeld: () => false,
  writtenBack: () => Promise.resolve(),
  nameChanged: () => undefined,
  inodeChanged: () => undefined,
}
