// What an operation takes of the daemon's memory for longer than it runs, asked before it begins:
// when memory is nearly used up, it waits until what was changed is in the engine, and is refused
// with ENOMEM if that is not enough. Reading, writing, saving and deleting what is there go on.

import { ENOMEM, fail } from '../base/errno.ts'
import type { Memory } from '../base/memory.ts'
import { Fault } from '../store/store.ts'
import type { Core } from '../vault/core/core.ts'

/**
 * Rows that are not in the engine yet, from which on waiting for it gains memory: about 1 KiB each.
 */
const ROWS_MIN = 500

export interface MemoryGuard {
  /** Throws ENOMEM, or a Fault to wait for memory, before something is made that takes it. */
  assertMore(): void
  /**
   * Throws ENOMEM before nodes of views are given: the kernel can do without them, and each stays
   * until it is forgotten.
   */
  assertViews(): void
}

export function guardMemory(
  { commits, overlay }: Pick<Core, 'commits' | 'overlay'>,
  memory: Memory,
): MemoryGuard {
  const written = () => commits.commit().catch(() => {})
  async function relieved(): Promise<void> {
    await written()
    await memory.looked()
  }
  return {
    assertMore() {
      if (!memory.isShort()) return
      const canGain = (overlay.size >= ROWS_MIN || commits.behind) && commits.failure === undefined
      if (!memory.isCritical()) {
        if (canGain) throw new Fault(written)
      } else if (canGain) throw new Fault(relieved)
      else fail(ENOMEM)
    },
    assertViews() {
      if (memory.isCritical()) fail(ENOMEM)
    },
  }
}
