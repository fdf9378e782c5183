// Operations that take memory of the daemon for longer than they run check it first: when memory is nearly used up, such an operation
// waits until what was changed is in the engine, and is refused with ENOMEM if that is not enough. Reading, writing, saving and
// deleting what is there go on.

import { ENOMEM, fail } from '../base/errno.ts'
import type { Memory } from '../base/memory.ts'
import { Fault } from '../store/store.ts'
import type { Core } from '../vault/core/core.ts'
import type { Operations } from './operations.ts'
import { VIEW_BASE } from './virtual/view.ts'

/** Rows that are not in the engine yet, from which on waiting for it gains memory: about 1 KiB each. */
const ROWS_MIN = 500

/** The same operations, as far as there is memory for them. */
export function withinMemory<O extends Operations>(
  operations: O,
  { commits, overlay }: Pick<Core, 'commits' | 'overlay'>,
  memory: Memory,
): O {
  const written = () => commits.commit().catch(() => {})
  async function relieved(): Promise<void> {
    await written()
    await memory.looked()
  }
  function assertRoom(): void {
    if (!memory.isShort()) return
    const canGain = (overlay.size >= ROWS_MIN || commits.behind) && commits.failure === undefined
    if (!memory.isCritical()) {
      if (canGain) throw new Fault(written)
    } else if (canGain) throw new Fault(relieved)
    else fail(ENOMEM)
  }
  return {
    ...operations,
    lookup(caller, parent, name) {
      // What is in the vault must be found, or nothing can be read, saved or deleted; the kernel can do without views.
      if (memory.isCritical() && parent >= VIEW_BASE) fail(ENOMEM)
      return operations.lookup(caller, parent, name)
    },
    mknod(...all) {
      assertRoom()
      return operations.mknod(...all)
    },
    mkdir(...all) {
      assertRoom()
      return operations.mkdir(...all)
    },
    symlink(...all) {
      assertRoom()
      return operations.symlink(...all)
    },
    create(...all) {
      assertRoom()
      return operations.create(...all)
    },
    tmpfile(...all) {
      assertRoom()
      return operations.tmpfile(...all)
    },
    link(...all) {
      assertRoom()
      return operations.link(...all)
    },
    setxattr(...all) {
      assertRoom()
      operations.setxattr(...all)
    },
    copyFileRange(...all) {
      assertRoom()
      return operations.copyFileRange(...all)
    },
    opendir(caller, ino) {
      if (memory.isCritical() && ino >= VIEW_BASE) fail(ENOMEM)
      return operations.opendir(caller, ino)
    },
    readdir(caller, ino, handle, cookie, plus, take) {
      // Each node that comes with a name stays until the kernel forgets it.
      if (memory.isCritical() && plus && ino >= VIEW_BASE) fail(ENOMEM)
      operations.readdir(caller, ino, handle, cookie, plus, take)
    },
  }
}
