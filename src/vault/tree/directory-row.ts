// The row of an empty directory that no system call made: the root of a new vault, or one that a
// repair creates.

import { S_IFDIR } from '../../base/mode.ts'
import type { InodeRow } from '../../store/collections.ts'

type NewDirectory = Pick<InodeRow, 'ino' | 'parent' | 'name' | 'uid' | 'gid' | 'since'> & {
  readonly permissions: number
}

/** All of its times are `since`, a moment. */
export function directoryRow({ permissions, since, ...own }: NewDirectory): InodeRow {
  const sec = Math.floor(since / 1_000_000)
  return {
    ...own,
    mode: S_IFDIR | permissions,
    nlink: 2,
    rdev: 0,
    size: 0,
    allocated: 0,
    xattrs: 0,
    tags: 0,
    versions: 0,
    atime: sec,
    atimeNs: 0,
    mtime: sec,
    mtimeNs: 0,
    ctime: sec,
    ctimeNs: 0,
    btime: sec,
    btimeNs: 0,
    actor: 0,
    since,
  }
}
