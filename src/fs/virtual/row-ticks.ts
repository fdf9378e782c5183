// Numbers that grow when rows change of which listings of views are made: with the same number the
// kernel may go on with what it has listed. Rows are only counted here, since an operation is under
// way when they change.

import { isDirectory } from '../../base/mode.ts'
import {
  type Collection,
  clock,
  entry,
  entryPast,
  hardlink,
  inodePast,
  inode as inodes,
  type Key,
  numbering,
  snapshot,
  tagging,
  tag as tags,
  version,
  xattr,
} from '../../store/collections.ts'
import type { Core } from '../../vault/core/core.ts'
import { ACL_ACCESS } from '../../vault/tree/acl.ts'

/**
 * Directories whose names are counted. One that was dropped gets another number when it is asked
 * for again.
 */
const DIRECTORIES_MAX = 10_000

export interface RowTicks {
  /** Names that are or were in a directory. */
  names(directory: number): number
  /** Versions, and the names that they are counted by. */
  versions(): number
  /** Every change, but of content that is not complete. */
  events(): number
  snapshots(): number
  /** Labels, what carries them, and all directories on the way there. */
  labels(): number
  /** Called after each. */
  onTick: () => void
}

const counted = new WeakMap<Core, RowTicks>()

/** Those of a vault; counting begins with the first call. */
export function ticksOf(core: Core): RowTicks {
  const ticks = counted.get(core) ?? countRows(core)
  counted.set(core, ticks)
  return ticks
}

function countRows({ overlay }: Core): RowTicks {
  const ticks = { names: 0, versions: 0, events: 0, snapshots: 0, labels: 0 }
  const directories = new Map<number, number>()
  const rowTicks: RowTicks = {
    names(directory) {
      const known = directories.get(directory)
      if (known !== undefined) return known
      const [oldest] = directories.keys()
      if (directories.size >= DIRECTORIES_MAX && oldest !== undefined) directories.delete(oldest)
      directories.set(directory, ++ticks.names)
      return ticks.names
    },
    versions: () => ticks.versions,
    events: () => ticks.events,
    snapshots: () => ticks.snapshots,
    labels: () => ticks.labels,
    onTick: () => undefined,
  }
  function named([directory]: Key): void {
    const ino = directory as number
    if (directories.has(ino)) directories.set(ino, ++ticks.names)
    ticks.versions++
    ticks.events++
    rowTicks.onTick()
  }
  overlay.watch(entry, named)
  overlay.watch(entryPast, named)
  const versioned = (): void => {
    ticks.versions++
    ticks.events++
    rowTicks.onTick()
  }
  for (const rows of [version, numbering]) overlay.watch(rows as Collection<object>, versioned)
  overlay.watch(inodePast, () => {
    ticks.versions++
    ticks.events++
    ticks.snapshots++
    rowTicks.onTick()
  })
  overlay.watch(inodes, (_key, row) => {
    ticks.events++
    if (row === undefined || row.tags > 0 || isDirectory(row.mode)) ticks.labels++
    rowTicks.onTick()
  })
  overlay.watch(clock, () => {
    ticks.events++
    rowTicks.onTick()
  })
  overlay.watch(snapshot, () => {
    ticks.snapshots++
    rowTicks.onTick()
  })
  const labelled = (): void => {
    ticks.labels++
    rowTicks.onTick()
  }
  overlay.watch(tags, labelled)
  overlay.watch(tagging, labelled)
  overlay.watch(hardlink, labelled)
  overlay.watch(xattr, ([, name]) => {
    if (name === undefined || name === ACL_ACCESS) labelled()
  })
  return rowTicks
}
