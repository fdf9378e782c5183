// Which directories everybody may list and enter today, and all above them: a directory that is
// gone counts as it was last. What is found out is kept, and who built on it is told when one of
// them is open no longer.

import { afterStep } from '../base/step.ts'
import { inode as inodes, type Key, xattr } from '../store/collections.ts'
import { inBackground } from '../store/retry.ts'
import type { Core } from '../vault/core/core.ts'
import { ROOT_INO } from '../vault/core/inode.ts'
import { isOpenToEverybody } from './access.ts'
import { guardNow } from './guards.ts'

interface Known {
  /** With all above. */
  isOpen: boolean
  readonly own: Own
}

/** What is looked at of a directory itself. */
interface Own {
  readonly isOpen: boolean
  readonly parent: number
}

/** Directories that are known; then those that matter are found out once more. */
const KNOWN_MAX = 100_000

/**
 * `closed` is called after a step that may have closed one which was open: whoever cares asks again
 * for each that matters.
 */
export function followOpenness(core: Core, closed: () => void): (directory: number) => boolean {
  const known = new Map<number, Known>()
  const changed = new Set<number>()

  function isOpen(directory: number): boolean {
    const way: Known[] = []
    let isWayOpen: boolean | undefined
    for (let ino = directory; isWayOpen === undefined; ) {
      isWayOpen = known.get(ino)?.isOpen
      if (isWayOpen !== undefined) break
      const own = ownOf(core, ino)
      const openness = { isOpen: false, own }
      known.set(ino, openness)
      way.push(openness)
      if (!own.isOpen) isWayOpen = false
      else if (ino === ROOT_INO) isWayOpen = true
      ino = own.parent
    }
    for (const openness of way) openness.isOpen = isWayOpen
    return isWayOpen
  }

  function recheck(): void {
    const others = [...changed].flatMap((ino) => {
      const before = known.get(ino)
      const own = ownOf(core, ino)
      const isSame = before?.own.isOpen === own.isOpen && before.own.parent === own.parent
      return before === undefined || isSame ? [] : [before]
    })
    changed.clear()
    if (others.some((openness) => openness.isOpen) || known.size > KNOWN_MAX) {
      known.clear()
      closed()
    } else if (others.length > 0)
      for (const [ino, openness] of known) if (!openness.isOpen) known.delete(ino)
  }

  // In the background, since a Fault must not repeat the operation that made the change.
  const recheckSoon = afterStep(() => void inBackground(recheck))
  const guardChanged = ([ino]: Key): void => {
    if (!known.has(ino as number)) return
    changed.add(ino as number)
    recheckSoon()
  }
  core.overlay.watch(inodes, guardChanged)
  core.overlay.watch(xattr, guardChanged)
  return isOpen
}

function ownOf(core: Core, ino: number): Own {
  const guard = guardNow(core, ino)
  return { isOpen: guard !== undefined && isOpenToEverybody(guard), parent: guard?.parent ?? 0 }
}
