// What stat(2) tells of nodes in views: directories that stand for one of the vault, and inodes as
// they once were.

import { isDirectory, S_IFDIR, S_ISGID, S_ISUID, S_ISVTX } from '../../base/mode.ts'
import type { InodeRow } from '../../store/collections.ts'
import { getInode } from '../../vault/tree/inodes.ts'
import { toNode } from '../node.ts'
import type { Node } from '../operations.ts'
import type { View, ViewContext } from './view.ts'

/**
 * The view is as open as the directory that it shows: same owner, same permissions. `volatile`: its
 * name may lead elsewhere next time; what is not volatile is announced by fixed-views.ts when it
 * changes. Throws ENOENT.
 */
export function directoryAttributes({ fs }: ViewContext, view: View, volatile: boolean): Node {
  return likeDirectory(toNode(getInode(fs.core, view.directory)), view.number, volatile)
}

/**
 * The same, with the owner and permissions of another directory: those who may change what is
 * listed here.
 */
export function ownedAttributes({ fs }: ViewContext, view: View, owner: number): Node {
  const { uid, gid } = getInode(fs.core, owner)
  const node = likeDirectory(toNode(getInode(fs.core, view.directory)), view.number, false)
  const readable = (node.mode & 0o444) >>> 2
  return { ...node, uid, gid, mode: S_IFDIR | (node.mode & 0o555) | readable | 0o700 }
}

/**
 * nlink 1 says that directories below are not counted, so that find(1) does not rely on it. The
 * times are those of the directory's birth, which never change.
 */
function likeDirectory(node: Node, number: number, volatile: boolean): Node {
  const { btime, btimeNs } = node
  return {
    ...node,
    ino: number,
    mode: S_IFDIR | (node.mode & (S_ISVTX | 0o777)),
    nlink: 1,
    size: 0,
    atime: btime,
    atimeNs: btimeNs,
    mtime: btime,
    mtimeNs: btimeNs,
    ctime: btime,
    ctimeNs: btimeNs,
    blocks: 0,
    volatile,
  }
}

/** An inode of the past, which does not change any more; it has no setuid and setgid bits. */
export function pastAttributes(row: InodeRow, number: number): Node {
  const ofDirectory = isDirectory(row.mode)
  const mode = ofDirectory ? row.mode : row.mode & ~(S_ISUID | S_ISGID)
  const node = { ...toNode(row), ino: number, mode }
  return ofDirectory ? { ...node, blocks: 0 } : node
}
