// A toy file system in memory behind the Operations interface: enough behaviour for tests of
// src/fuse and to measure the transport alone. No permissions, no durability, no history.

import {
  EEXIST,
  EISDIR,
  ENODATA,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  ENXIO,
  EOPNOTSUPP,
  fail,
} from '../../src/base/errno.ts'
import { fileType, isDirectory, S_IFDIR, S_IFLNK, S_IFREG } from '../../src/base/mode.ts'
import type { Attributes, Caller, Node, Operations } from '../../src/fs/operations.ts'

/** Mode bits of fallocate(2). */
export const KEEP_SIZE = 1
export const PUNCH_HOLE = 2
export const ZERO_RANGE = 16

interface MemoryNode extends Node {
  mode: number
  nlink: number
  uid: number
  gid: number
  size: number
  blocks: number
  atime: number
  atimeNs: number
  mtime: number
  mtimeNs: number
  ctime: number
  ctimeNs: number
  data: Buffer
  target: string
  parent: number
  readonly entries: Map<string, MemoryNode>
  readonly xattrs: Map<string, Uint8Array>
  lookups: number
}

export interface MemoryFs extends Operations {
  /** Lookups that the kernel holds of an inode. */
  lookupsOf(ino: number): number
}

/** A new, empty file system; its root is inode 1. */
export function createMemoryFs(): MemoryFs {
  const nodes = new Map<number, MemoryNode>()
  let nextIno = 1

  function make(caller: Caller, mode: number, rdev: number): MemoryNode {
    const { time, ns } = now()
    const node: MemoryNode = {
      ino: nextIno++,
      mode,
      nlink: isDirectory(mode) ? 2 : 1,
      uid: caller.uid,
      gid: caller.gid,
      rdev,
      size: 0,
      blocks: 0,
      atime: time,
      atimeNs: ns,
      mtime: time,
      mtimeNs: ns,
      ctime: time,
      ctimeNs: ns,
      btime: time,
      btimeNs: ns,
      volatile: false,
      data: Buffer.alloc(0),
      target: '',
      parent: 1,
      entries: new Map(),
      xattrs: new Map(),
      lookups: 0,
    }
    nodes.set(node.ino, node)
    return node
  }

  /** A name came, went or leads elsewhere. */
  function touch(directory: MemoryNode): void {
    const { time, ns } = now()
    Object.assign(directory, times('mtime', time, ns), times('ctime', time, ns))
  }

  function inode(ino: number): MemoryNode {
    return nodes.get(ino) ?? fail(ENOENT)
  }

  function directory(ino: number): MemoryNode {
    const node = inode(ino)
    return isDirectory(node.mode) ? node : fail(ENOTDIR)
  }

  function add(
    caller: Caller,
    parent: number,
    name: string,
    mode: number,
    rdev: number,
  ): MemoryNode {
    const into = directory(parent)
    if (into.entries.has(name)) fail(EEXIST)
    const node = make(caller, mode, rdev)
    node.parent = parent
    node.lookups = 1
    into.entries.set(name, node)
    touch(into)
    if (isDirectory(mode)) into.nlink++
    return node
  }

  function remove(parent: MemoryNode, name: string, node: MemoryNode): void {
    parent.entries.delete(name)
    touch(parent)
    if (isDirectory(node.mode)) parent.nlink--
    node.nlink -= isDirectory(node.mode) ? 2 : 1
    if (node.nlink === 0 && node.lookups === 0) nodes.delete(node.ino)
  }

  function resize(node: MemoryNode, size: number): void {
    if (size > node.data.length) {
      const larger = Buffer.alloc(Math.max(size, node.data.length * 2))
      node.data.copy(larger)
      node.data = larger
    } else if (size < node.size) {
      node.data.fill(0, size, node.size)
    }
    node.size = size
    node.blocks = Math.ceil(size / 512)
  }

  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, pid: 0 }
  const root = make(owner, S_IFDIR | 0o755, 0)

  const fs: MemoryFs = {
    lookupsOf: (ino) => nodes.get(ino)?.lookups ?? 0,

    lookup(_caller, parent, name) {
      const from = directory(parent)
      const node = name === '.' ? from : name === '..' ? inode(from.parent) : from.entries.get(name)
      if (node !== undefined) node.lookups++
      return node
    },
    forget(ino, count) {
      const node = nodes.get(ino)
      if (node === undefined || node === root) return
      node.lookups -= count
      if (node.nlink === 0 && node.lookups === 0) nodes.delete(ino)
    },

    getattr: (_caller, ino) => inode(ino),
    setattr(_caller, ino, change) {
      const node = inode(ino)
      if (change.mode !== undefined) node.mode = (node.mode & ~0o7777) | (change.mode & 0o7777)
      if (change.uid !== undefined) node.uid = change.uid
      if (change.gid !== undefined) node.gid = change.gid
      if (change.size !== undefined) resize(node, change.size)
      if (change.atime !== undefined)
        Object.assign(node, times('atime', change.atime, change.atimeNs))
      if (change.mtime !== undefined)
        Object.assign(node, times('mtime', change.mtime, change.mtimeNs))
      if (change.ctime !== undefined)
        Object.assign(node, times('ctime', change.ctime, change.ctimeNs))
      return node
    },

    readlink: (_caller, ino) => inode(ino).target,
    mknod: (caller, parent, name, mode, rdev, umask) =>
      add(caller, parent, name, mode & ~umask, rdev),
    mkdir: (caller, parent, name, mode, umask) =>
      add(caller, parent, name, S_IFDIR | (mode & ~umask), 0),
    symlink(caller, parent, name, target) {
      const node = add(caller, parent, name, S_IFLNK | 0o777, 0)
      node.target = target
      node.size = target.length
      return node
    },
    create: (caller, parent, name, mode, umask) =>
      add(caller, parent, name, S_IFREG | (mode & ~umask), 0),
    tmpfile(caller, _parent, mode, umask) {
      const node = make(caller, S_IFREG | (mode & ~umask), 0)
      node.nlink = 0
      node.lookups = 1
      return node
    },
    link(_caller, ino, parent, name) {
      const node = inode(ino)
      const into = directory(parent)
      if (into.entries.has(name)) fail(EEXIST)
      into.entries.set(name, node)
      touch(into)
      node.nlink++
      node.lookups++
      return node
    },
    unlink(_caller, parent, name) {
      const from = directory(parent)
      const node = from.entries.get(name) ?? fail(ENOENT)
      if (isDirectory(node.mode)) fail(EISDIR)
      remove(from, name, node)
    },
    rmdir(_caller, parent, name) {
      const from = directory(parent)
      const node = from.entries.get(name) ?? fail(ENOENT)
      if (!isDirectory(node.mode)) fail(ENOTDIR)
      if (node.entries.size > 0) fail(ENOTEMPTY)
      remove(from, name, node)
    },
    rename(_caller, parent, name, newParent, newName, flags) {
      const from = directory(parent)
      const to = directory(newParent)
      const node = from.entries.get(name) ?? fail(ENOENT)
      const replaced = to.entries.get(newName)
      if (replaced !== undefined && (flags & 1) !== 0) fail(EEXIST)
      if (replaced === node) return
      if (replaced !== undefined && replaced.entries.size > 0) fail(ENOTEMPTY)
      if (replaced !== undefined) remove(to, newName, replaced)
      from.entries.delete(name)
      to.entries.set(newName, node)
      touch(from)
      touch(to)
      if (isDirectory(node.mode)) {
        from.nlink--
        to.nlink++
        node.parent = newParent
      }
    },

    read(_caller, ino, offset, size) {
      const node = inode(ino)
      const end = Math.min(offset + size, node.size)
      return offset >= end ? [] : [node.data.subarray(offset, end)]
    },
    write(_caller, ino, offset, data) {
      const node = inode(ino)
      const end = offset + data.length
      if (end > node.size) resize(node, end)
      node.data.set(data, offset)
      return undefined
    },
    flush(_caller, ino) {
      inode(ino)
    },
    fsync: () => Promise.resolve(),
    syncfs: () => Promise.resolve(),
    fallocate(_caller, ino, offset, length, mode) {
      const node = inode(ino)
      const end = offset + length
      if ((mode & ~(KEEP_SIZE | PUNCH_HOLE | ZERO_RANGE)) !== 0) fail(EOPNOTSUPP)
      if ((mode & (PUNCH_HOLE | ZERO_RANGE)) !== 0) {
        node.data.fill(0, Math.min(offset, node.size), Math.min(end, node.size))
      }
      if ((mode & KEEP_SIZE) === 0 && end > node.size) resize(node, end)
    },
    lseek(_caller, ino, offset, whence) {
      const { size } = inode(ino)
      if (offset >= size) fail(ENXIO)
      return whence === 3 ? offset : size
    },
    copyFileRange(caller, from, fromOffset, to, toOffset, length) {
      const [piece] = fs.read(caller, from, fromOffset, length)
      if (piece === undefined) return 0
      fs.write(caller, to, toOffset, Buffer.from(piece), false, false)
      return piece.length
    },

    opendir(_caller, ino) {
      directory(ino)
      return { handle: ino, cacheable: true }
    },
    readdir(_caller, ino, _handle, cookie, plus, take) {
      const node = directory(ino)
      if (cookie < 1 && !take('.', ino, 4, 1, undefined)) return
      if (cookie < 2 && !take('..', node.parent, 4, 2, undefined)) return
      let position = 2
      for (const [name, child] of node.entries) {
        if (++position <= cookie) continue
        const given = plus ? child : undefined
        if (!take(name, child.ino, fileType(child.mode), position, given)) return
        if (plus) child.lookups++
      }
    },
    releasedir() {},

    getxattr: (_caller, ino, name) => inode(ino).xattrs.get(name),
    listxattr: (_caller, ino) => [...inode(ino).xattrs.keys()],
    setxattr(_caller, ino, name, value, flags) {
      const { xattrs } = inode(ino)
      if (flags === 1 && xattrs.has(name)) fail(EEXIST)
      if (flags === 2 && !xattrs.has(name)) fail(ENODATA)
      xattrs.set(name, Buffer.from(value))
    },
    removexattr(_caller, ino, name) {
      if (!inode(ino).xattrs.delete(name)) fail(ENODATA)
    },

    statfs: () => ({
      blockSize: 4096,
      blocks: 1 << 20,
      blocksFree: 1 << 19,
      blocksAvailable: 1 << 19,
      files: nodes.size,
      filesFree: 1 << 20,
      nameMax: 255,
    }),
  }
  return fs
}

function now(): { time: number; ns: number } {
  const ms = Date.now()
  return { time: Math.floor(ms / 1000), ns: (ms % 1000) * 1e6 }
}

function times(name: 'atime' | 'mtime' | 'ctime', time: number, ns: number): Partial<Attributes> {
  return { [name]: time, [`${name}Ns`]: ns }
}
