// A disk in memory that records every operation on it: the toy file system, and an event for each
// change and each fsync. Knows nothing of crashes.

import { isDirectory, isSymlink } from '../../../src/base/mode.ts'
import type { Node, Operations } from '../../../src/fs/operations.ts'
import { createMemoryFs, KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE } from '../memory-fs.ts'
import { nowUs } from '../monotonic.ts'
import type { DiskEvent, NameChange, Recorded } from './events.ts'

const RENAME_EXCHANGE = 2

/** Operations on a new, empty disk; what they do is added to `log`. */
export function createRecordingFs(log: Recorded[]): Operations {
  const fs = createMemoryFs()
  const note = (event: DiskEvent): void => void log.push({ timeUs: nowUs(), event })
  const named = (...changes: readonly NameChange[]): void => note({ kind: 'names', changes })
  const inodeAt = (parent: number, name: string): number => {
    const node = fs.lookup(nobody, parent, name)
    if (node !== undefined) fs.forget(node.ino, 1)
    return node?.ino ?? 0
  }
  const made = (node: Node, parent: number, name: string, target = ''): Node => {
    const { ino, mode } = node
    const type = isDirectory(mode) ? 'directory' : isSymlink(mode) ? 'symlink' : 'file'
    note({ kind: 'inode', ino, type, target })
    if (name !== '') named({ parent, name, ino })
    return node
  }
  return {
    ...fs,
    setattr(caller, ino, change) {
      const { size } = change
      const node = fs.setattr(caller, ino, change)
      if (size !== undefined) note({ kind: 'size', ino, size })
      return node
    },
    mknod: (caller, parent, name, ...rest) =>
      made(fs.mknod(caller, parent, name, ...rest), parent, name),
    mkdir: (caller, parent, name, ...rest) =>
      made(fs.mkdir(caller, parent, name, ...rest), parent, name),
    symlink: (caller, parent, name, target) =>
      made(fs.symlink(caller, parent, name, target), parent, name, target),
    create: (caller, parent, name, ...rest) =>
      made(fs.create(caller, parent, name, ...rest), parent, name),
    tmpfile: (caller, parent, ...rest) => made(fs.tmpfile(caller, parent, ...rest), parent, ''),
    link(caller, ino, parent, name) {
      const node = fs.link(caller, ino, parent, name)
      named({ parent, name, ino })
      return node
    },
    unlink(caller, parent, name) {
      fs.unlink(caller, parent, name)
      named({ parent, name, ino: 0 })
    },
    rmdir(caller, parent, name) {
      fs.rmdir(caller, parent, name)
      named({ parent, name, ino: 0 })
    },
    rename(caller, parent, name, newParent, newName, flags) {
      if ((flags & RENAME_EXCHANGE) !== 0) throw new Error('the disk exchanges no names')
      const ino = inodeAt(parent, name)
      fs.rename(caller, parent, name, newParent, newName, flags)
      named({ parent, name, ino: 0 }, { parent: newParent, name: newName, ino })
    },
    write(caller, ino, offset, data, ...rest) {
      const result = fs.write(caller, ino, offset, data, ...rest)
      note({ kind: 'write', ino, offset, bytes: Uint8Array.from(data) })
      return result
    },
    fallocate(caller, ino, offset, length, mode) {
      const before = fs.getattr(caller, ino).size
      fs.fallocate(caller, ino, offset, length, mode)
      if ((mode & (PUNCH_HOLE | ZERO_RANGE)) !== 0) note({ kind: 'zero', ino, offset, length })
      const size = offset + length
      if ((mode & KEEP_SIZE) === 0 && size > before) note({ kind: 'size', ino, size })
    },
    copyFileRange(caller, from, fromOffset, to, toOffset, length) {
      const pieces = fs.read(caller, from, fromOffset, length)
      const bytes = Uint8Array.from(Buffer.concat(pieces))
      fs.write(caller, to, toOffset, bytes, false, false)
      note({ kind: 'write', ino: to, offset: toOffset, bytes })
      return bytes.length
    },
    async fsync(_caller, ino) {
      note({ kind: 'sync', ino })
    },
  }
}

const nobody = { uid: 0, gid: 0, pid: 0 }
