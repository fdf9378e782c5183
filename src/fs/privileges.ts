// setuid, setgid and file capabilities: who writes to a file or changes its owner must not keep
// them (inode(7), chown(2), capabilities(7)). The kernel leaves this to the file system
// (FUSE_HANDLE_KILLPRIV_V2).

import { readFileSync } from 'node:fs'
import { isDirectory, S_ISGID, S_ISUID, S_IXGRP } from '../base/mode.ts'
import type { Core } from '../vault/core/core.ts'
import type { Inode } from '../vault/core/inode.ts'
import { getXattr } from '../vault/tree/attached.ts'
import { alter } from '../vault/tree/inodes.ts'
import { CAPABILITY, removeXattr } from '../vault/tree/xattrs.ts'
import type { Caller } from './operations.ts'

/**
 * Of security.capability the kernel asks the size before each write(2), and removes the attribute
 * first when there is one: so that can be refused before a byte is taken, whereas a write would be
 * refused only when it is written back.
 */
export const SOME_CAPABILITY = new Uint8Array(20)

/**
 * Clears setuid, setgid and capabilities of anything but a directory. Returns true when the mode
 * changed.
 */
export function dropPrivileges(core: Core, inode: Inode, caller: Caller): boolean {
  if (isDirectory(inode.mode)) return false
  let mode = inode.mode & ~S_ISUID
  // Without group execution, setgid once meant mandatory locking: who is in the group may keep it.
  if ((mode & S_ISGID) !== 0 && ((mode & S_IXGRP) !== 0 || !inGroup(caller, inode.gid)))
    mode &= ~S_ISGID
  const changed = mode !== inode.mode
  if (changed) {
    alter(core, inode)
    inode.mode = mode
  }
  if (inode.xattrs > 0 && getXattr(core, inode, CAPABILITY) !== undefined)
    removeXattr(core, inode, CAPABILITY)
  return changed
}

function inGroup(caller: Caller, gid: number): boolean {
  if (caller.uid === 0 || caller.gid === gid) return true
  try {
    const status = readFileSync(`/proc/${caller.pid}/status`, 'latin1')
    const groups = /^Groups:\s*(.*)$/m.exec(status)?.[1] ?? ''
    return groups.split(/\s+/).includes(String(gid))
  } catch {
    // The caller is gone, or in another PID namespace: no claim to the group.
    return false
  }
}
