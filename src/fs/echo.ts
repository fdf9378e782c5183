// Programs that watch a directory (inotify, fanotify) hear of what is done through the mount, not
// of what a command changes below it. So each such change is made once more through the mount, by a
// process (src/daemon/echo-child.ts) whose calls only seem to change something: the vault is as it
// is to be already, and the kernel tells who watches. Here is what it is to do, and what it is
// answered: a name that came is moved in from a directory that it alone can see, one that went is
// removed.

import { randomUUID } from 'node:crypto'
import { wallTime } from '../base/clock.ts'
import { ENOENT, fail } from '../base/errno.ts'
import { S_IFDIR } from '../base/mode.ts'
import { type EntryRow, inode as inodes } from '../store/collections.ts'
import type { Changes } from '../vault/core/gathered.ts'
import { ROOT_INO } from '../vault/core/inode.ts'
import { findEntry } from '../vault/tree/directory.ts'
import { findInode, getInode } from '../vault/tree/inodes.ts'
import { CAPABILITY } from '../vault/tree/xattrs.ts'
import { type FsContext, giveNode } from './context.ts'
import { type EchoedName, planEcho } from './echo-plan.ts'
import type { EchoTask } from './echo-step.ts'
import { toNode } from './node.ts'
import type { AttributeChange, Caller, Node, Operations } from './operations.ts'
import { numberOf } from './virtual/view.ts'

/**
 * The directory from which names are moved in. Nobody else can guess what it is called in the root.
 */
const SOURCE_NAME = `.avfs-${randomUUID()}`
const SOURCE_INO = numberOf(SOURCE_NAME)

export interface Echo {
  /** The operations, with answers of their own for the process. */
  readonly operations: Operations
  /** Sets the process that echoes changes; undefined when there is none any more. */
  by(pid: number | undefined): void
  /**
   * What the process is to do below the directory where the vault is mounted, a byte string. A step
   * of the caller's: what it reads may have to be waited for.
   */
  plan(changes: Changes, top: string): EchoTask
  /** What was planned is over: whoever asks for those names is answered as always. */
  clear(): void
}

export function createEcho(fs: FsContext, operations: Operations): Echo {
  const echoed = new EchoedNames(fs)
  return {
    operations: echoOperations(fs, operations, echoed),
    by(pid) {
      echoed.pid = pid
    },
    plan(changes, top) {
      const { names, steps } = planEcho(fs, changes, top)
      echoed.add(names)
      return { source: `${top}/${SOURCE_NAME}`, steps }
    },
    clear: () => echoed.clear(),
  }
}

/** The names of a plan that the process has not yet been through. */
class EchoedNames {
  readonly #fs: FsContext
  readonly #byName = new Map<string, EchoedName>()
  /** By the name in the source directory. */
  readonly #arriving = new Map<string, EchoedName>()
  /** The process that echoes. */
  pid: number | undefined

  constructor(fs: FsContext) {
    this.#fs = fs
  }

  get isEmpty(): boolean {
    return this.#byName.size === 0
  }

  isEcho(caller: Caller): boolean {
    return this.pid !== undefined && caller.pid === this.pid
  }

  add(names: readonly EchoedName[]): void {
    for (const [index, echoed] of names.entries()) {
      this.#byName.set(keyOf(echoed.parent, echoed.name), echoed)
      this.#arriving.set(`${index}`, echoed)
    }
  }

  clear(): void {
    this.#byName.clear()
    this.#arriving.clear()
  }

  find(parent: number, name: string): EchoedName | undefined {
    return this.isEmpty ? undefined : this.#byName.get(keyOf(parent, name))
  }

  /** What comes under a name of the source directory. */
  arriving(name: string): number | undefined {
    return this.#arriving.get(name)?.coming
  }

  /** The name, as long as nobody has done something else with it. Throws ENOENT. */
  due(parent: number, name: string): EchoedName {
    const echoed = this.find(parent, name)
    if (echoed === undefined || findEntry(this.#fs.core, parent, name)?.ino !== echoed.coming)
      fail(ENOENT)
    return echoed
  }

  /** What the name led to was seen to go. */
  remove(parent: number, name: string): void {
    const echoed = this.due(parent, name)
    echoed.going = undefined
    if (echoed.coming === undefined) this.delete(parent, name)
  }

  delete(parent: number, name: string): void {
    this.#byName.delete(keyOf(parent, name))
  }
}

function echoOperations(fs: FsContext, operations: Operations, echoed: EchoedNames): Operations {
  return {
    ...operations,
    lookup: (caller, parent, name) => lookup(fs, operations, echoed, caller, parent, name),
    forget(ino, count) {
      if (ino !== SOURCE_INO) operations.forget(ino, count)
    },
    getattr: (caller, ino) => (ino === SOURCE_INO ? source() : operations.getattr(caller, ino)),
    getxattr: (caller, ino, name, sizeOnly) =>
      ino === SOURCE_INO || (name === CAPABILITY && echoed.isEcho(caller))
        ? undefined
        : operations.getxattr(caller, ino, name, sizeOnly),
    flush(caller, ino) {
      if (!echoed.isEcho(caller)) operations.flush(caller, ino)
    },
    rename(caller, parent, name, newParent, newName, flags) {
      if (parent !== SOURCE_INO || !echoed.isEcho(caller))
        return operations.rename(caller, parent, name, newParent, newName, flags)
      echoed.due(newParent, newName)
      echoed.delete(newParent, newName)
    },
    unlink(caller, parent, name) {
      if (echoed.isEcho(caller)) echoed.remove(parent, name)
      else operations.unlink(caller, parent, name)
    },
    rmdir(caller, parent, name) {
      if (echoed.isEcho(caller)) echoed.remove(parent, name)
      else operations.rmdir(caller, parent, name)
    },
    setattr: (caller, ino, change) =>
      echoed.isEcho(caller) ? touched(fs, ino, change) : operations.setattr(caller, ino, change),
    // chown(2) takes capabilities away.
    removexattr(caller, ino, name) {
      if (!echoed.isEcho(caller)) operations.removexattr(caller, ino, name)
    },
    readdir(caller, ino, handle, cookie, plus, take) {
      // The kernel would keep the nodes that are listed with the names.
      operations.readdir(caller, ino, handle, cookie, plus && echoed.isEmpty, take)
    },
  }
}

function lookup(
  fs: FsContext,
  operations: Operations,
  names: EchoedNames,
  caller: Caller,
  parent: number,
  name: string,
): Node | undefined {
  const echoed = names.find(parent, name)
  if (!names.isEcho(caller)) {
    const node = operations.lookup(caller, parent, name)
    // If the kernel cached this node, it would find source and target of the move to be the same,
    // and do nothing.
    return node === undefined || echoed === undefined ? node : brief(node)
  }
  if (parent === ROOT_INO && name === SOURCE_NAME) return source()
  if (parent === SOURCE_INO)
    return brief(giveNode(fs, getInode(fs.core, names.arriving(name) ?? fail(ENOENT))))
  if (echoed === undefined) return operations.lookup(caller, parent, name)
  return brief(formerNode(fs, echoed.going ?? fail(ENOENT)))
}

function keyOf(parent: number, name: string): string {
  return `${parent}/${name}`
}

/** The kernel asks again the next time. */
function brief(node: Node): Node {
  return { ...node, nameMs: 0 }
}

function source(): Node {
  return { ...ownNode(SOURCE_INO, S_IFDIR | 0o700), volatile: true }
}

/** What the process can enter and remove. */
function ownNode(ino: number, mode: number): Node {
  const { sec, ns } = wallTime()
  const times = { atime: sec, atimeNs: ns, mtime: sec, mtimeNs: ns, ctime: sec, ctimeNs: ns }
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  const rest = { nlink: 1, rdev: 0, size: 0, btime: sec, btimeNs: ns, blocks: 0 }
  return { ino, mode, ...owner, ...times, ...rest, volatile: false }
}

/**
 * What a name led to: as it is, if it is there under another or somebody uses it, else something of
 * its kind.
 */
function formerNode(fs: FsContext, { ino, type }: EntryRow): Node {
  const inode = findInode(fs.core, ino)
  if (inode !== undefined) return giveNode(fs, inode)
  fs.lookups.add(ino, 1)
  return ownNode(ino, (type << 12) | 0o700)
}

/**
 * Everything is as it was but the kernel's own ctime, which the vault takes over without a trace,
 * as it does with atime.
 */
function touched(fs: FsContext, ino: number, { ctime, ctimeNs }: AttributeChange): Node {
  const inode = getInode(fs.core, ino)
  if (ctime !== undefined) {
    inode.ctime = ctime
    inode.ctimeNs = ctimeNs
    if (inode.nlink > 0) fs.core.overlay.put(inodes, inode)
  }
  return toNode(inode)
}
