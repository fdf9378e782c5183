// What an operation needs on the disk, asked before it begins: on a disk that is nearly full those that grow the vault are
// ENOSPC, and those that free, or hardly grow it, go on for as long as there is any reserve.

import { FsError } from '../base/errno.ts'
import { CHUNK_BYTES } from '../base/limits.ts'
import { ROW_BYTES } from '../vault/core/disk-space.ts'
import { findInode } from '../vault/tree/inodes.ts'
import { type FsContext, forgetCached } from './context.ts'
import { PUNCH_HOLE } from './flags.ts'
import type { Operations } from './operations.ts'
import { RENAME_WHITEOUT } from './remove.ts'

/** What makes a name, each a few rows. */
const MAKING = ['mknod', 'mkdir', 'symlink', 'create', 'tmpfile', 'link'] as const
const FREEING = ['unlink', 'rmdir', 'removexattr'] as const

/** The same operations, which throw ENOSPC, or a Fault to wait for a commit, before they change anything. */
export function withinRoom(fs: FsContext, operations: Operations): Operations {
  const { diskSpace: room } = fs.core
  if (fs.readOnly) return operations
  const asking = <N extends (typeof MAKING | typeof FREEING)[number]>(
    names: readonly N[],
    ask: () => void,
  ): Pick<Operations, N> =>
    Object.fromEntries(
      names.map((name) => {
        const run = operations[name] as (...all: unknown[]) => unknown
        return [
          name,
          (...all: unknown[]) => {
            ask()
            return run(...all)
          },
        ]
      }),
    ) as Pick<Operations, N>
  return {
    ...operations,
    ...asking(MAKING, () => room.grow(ROW_BYTES)),
    ...asking(FREEING, () => room.shrink()),
    rename(caller, parent, name, newParent, newName, flags) {
      if ((flags & RENAME_WHITEOUT) === 0) room.shrink()
      else room.grow(ROW_BYTES)
      operations.rename(caller, parent, name, newParent, newName, flags)
    },
    setattr(caller, ino, change) {
      const { mode, uid, gid, size } = change
      // The times of a file come when its bytes are there: fsync must not fail for them.
      const isMore = mode ?? uid ?? gid ?? size
      if (isMore !== undefined) room.shrink()
      return operations.setattr(caller, ino, change)
    },
    setxattr(caller, ino, name, value, flags, killSetgid) {
      room.grow(ROW_BYTES + value.length)
      operations.setxattr(caller, ino, name, value, flags, killSetgid)
    },
    write(caller, ino, offset, data, killPrivileges, cached) {
      try {
        room.grow(data.length)
      } catch (error) {
        // The kernel took the bytes before it asked, and tells fsync and close what became of them.
        if (cached && error instanceof FsError) forgetCached(fs, ino)
        throw error
      }
      return operations.write(caller, ino, offset, data, killPrivileges, cached)
    },
    fallocate(caller, ino, offset, length, mode) {
      if ((mode & PUNCH_HOLE) === 0) room.grow(ROW_BYTES)
      else room.shrink()
      operations.fallocate(caller, ino, offset, length, mode)
    },
    copyFileRange(caller, from, fromOffset, to, toOffset, length) {
      room.grow(ROW_BYTES * Math.ceil(Math.min(length, sizeOf(fs, from)) / CHUNK_BYTES + 1))
      return operations.copyFileRange(caller, from, fromOffset, to, toOffset, length)
    },
  }
}

function sizeOf(fs: FsContext, ino: number): number {
  return findInode(fs.core, ino)?.size ?? 0
}
