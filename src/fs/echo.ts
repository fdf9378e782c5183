// Programs that watch a directory (inotify, fanotify) hear of what is done through the mount, not of what a command changes below
// it. So each such change is made once more through the mount, by a process (src/daemon/echo-child.ts) whose calls only seem to change
// something: the vault is as it is to be already, and the kernel tells who watches. Here is what it is to do, and what it is
// answered: a name that came is moved in from a directory that it alone can see, one that went is removed.

import { randomUUID } from 'node:crypto'
import { wallTime } from '../base/clock.ts'
import { ENOENT, fail } from '../base/errno.ts'
import { DT_DIR, isDirectory, S_IFDIR } from '../base/mode.ts'
import { type EntryRow, inode as inodes } from '../store/collections.ts'
import type { Changes, NameChange } from '../vault/core/gathered.ts'
import { type Inode, ROOT_INO } from '../vault/core/inode.ts'
import { findEntry } from '../vault/tree/directory.ts'
import { findInode, getInode } from '../vault/tree/inodes.ts'
import { namesOfInode, pathOf } from '../vault/tree/names.ts'
import { CAPABILITY } from '../vault/tree/xattrs.ts'
import { type FsContext, giveNode, isHeld } from './context.ts'
import type { EchoStep, EchoTask } from './echo-step.ts'
import { toNode } from './node.ts'
import type { AttributeChange, Caller, Node, Operations } from './operations.ts'
import { numberOf } from './virtual/view.ts'

/** The directory from which names are moved in. Nobody else can guess what it is called in the root. */
const SOURCE_NAME = `.avfs-${randomUUID()}`
const SOURCE_INO = numberOf(SOURCE_NAME)

/** What is to be seen of a name: that something goes, then that something comes, perhaps in its place. */
interface Expected {
  readonly parent: number
  readonly name: string
  /** What the name led to, until it was seen to go. */
  going: EntryRow | undefined
  /** What it leads to. */
  readonly coming: number | undefined
}

export interface Echo {
  /** The operations, with answers of their own for the process. */
  readonly operations: Operations
  /** Makes known which process it is; undefined when there is none any more. */
  by(pid: number | undefined): void
  /**
   * What the process is to do below the directory where the vault is mounted, a byte string. A step of the caller's: what it reads may
   * have to be waited for.
   */
  plan(changes: Changes, top: string): EchoTask
  /** What was planned is over: whoever asks for those names is answered as always. */
  clear(): void
}

export function createEcho(fs: FsContext, operations: Operations): Echo {
  const expected = new Map<string, Expected>()
  const arriving = new Map<string, Expected>()
  let pid: number | undefined
  const find = (parent: number, name: string): Expected | undefined =>
    expected.size === 0 ? undefined : expected.get(keyOf(parent, name))
  const isEcho = (caller: Caller): boolean => pid !== undefined && caller.pid === pid

  function lookup(caller: Caller, parent: number, name: string): Node | undefined {
    const its = find(parent, name)
    if (!isEcho(caller)) {
      const node = operations.lookup(caller, parent, name)
      // Kept, it would be what the name is moved onto: then nothing would happen.
      return node === undefined || its === undefined ? node : brief(node)
    }
    if (parent === ROOT_INO && name === SOURCE_NAME) return source()
    if (parent === SOURCE_INO)
      return brief(giveNode(fs, getInode(fs.core, arriving.get(name)?.coming ?? fail(ENOENT))))
    if (its === undefined) return operations.lookup(caller, parent, name)
    return brief(formerNode(fs, its.going ?? fail(ENOENT)))
  }

  /** What is expected of a name, as long as nobody has done something else with it. */
  function due(parent: number, name: string): Expected {
    const its = find(parent, name)
    if (its === undefined || findEntry(fs.core, parent, name)?.ino !== its.coming) fail(ENOENT)
    return its
  }

  function remove(parent: number, name: string): void {
    const its = due(parent, name)
    its.going = undefined
    if (its.coming === undefined) expected.delete(keyOf(parent, name))
  }

  return {
    by(its) {
      pid = its
    },
    clear() {
      expected.clear()
      arriving.clear()
    },
    plan(changes, top) {
      const paths = pathsOf(fs, changes, top)
      const planned = changes.names.flatMap((its) => expect(fs, its) ?? [])
      const steps = planned.flatMap((its, at) => stepsFor(fs, its, at, paths))
      const touches = changes.inodes.flatMap((ino) => touchOf(fs, ino, top) ?? [])
      const sizes = (changes.sizes ?? []).flatMap((ino) => resizeOf(fs, ino, top) ?? [])
      for (const [at, its] of planned.entries()) {
        expected.set(keyOf(its.parent, its.name), its)
        arriving.set(`${at}`, its)
      }
      return { source: `${top}/${SOURCE_NAME}`, steps: [...steps, ...touches, ...sizes] }
    },
    operations: {
      ...operations,
      lookup,
      forget(ino, count) {
        if (ino !== SOURCE_INO) operations.forget(ino, count)
      },
      getattr: (caller, ino) => (ino === SOURCE_INO ? source() : operations.getattr(caller, ino)),
      getxattr: (caller, ino, name, sizeOnly) =>
        ino === SOURCE_INO || (name === CAPABILITY && isEcho(caller))
          ? undefined
          : operations.getxattr(caller, ino, name, sizeOnly),
      flush(caller, ino) {
        if (!isEcho(caller)) operations.flush(caller, ino)
      },
      rename(caller, parent, name, newParent, newName, flags) {
        if (parent !== SOURCE_INO || !isEcho(caller))
          return operations.rename(caller, parent, name, newParent, newName, flags)
        due(newParent, newName)
        expected.delete(keyOf(newParent, newName))
      },
      unlink(caller, parent, name) {
        if (isEcho(caller)) remove(parent, name)
        else operations.unlink(caller, parent, name)
      },
      rmdir(caller, parent, name) {
        if (isEcho(caller)) remove(parent, name)
        else operations.rmdir(caller, parent, name)
      },
      setattr: (caller, ino, change) =>
        isEcho(caller) ? touched(fs, ino, change) : operations.setattr(caller, ino, change),
      // chown(2) takes capabilities away.
      removexattr(caller, ino, name) {
        if (!isEcho(caller)) operations.removexattr(caller, ino, name)
      },
      readdir(caller, ino, handle, cookie, plus, take) {
        // The kernel would keep the nodes that are listed with the names.
        operations.readdir(caller, ino, handle, cookie, plus && expected.size === 0, take)
      },
    },
  }
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

/** What a name led to: as it is, if it is there under another or somebody uses it, else something of its kind. */
function formerNode(fs: FsContext, { ino, type }: EntryRow): Node {
  const inode = findInode(fs.core, ino)
  if (inode !== undefined) return giveNode(fs, inode)
  fs.lookups.add(ino, 1)
  return ownNode(ino, (type << 12) | 0o700)
}

function expect(fs: FsContext, { parent, name, before }: NameChange): Expected | undefined {
  const after = findEntry(fs.core, parent, name)
  if (before?.ino === after?.ino) return undefined
  const isOver = after !== undefined && after.type !== DT_DIR && before?.type !== DT_DIR
  // What the kernel does not know nobody watches, and nothing needs to be replaced.
  const going = isOver && before !== undefined && !isHeld(fs, before.ino) ? undefined : before
  return { parent, name, going, coming: after?.ino }
}

/** Paths of directories by their numbers, also of those that went. */
function pathsOf(
  fs: FsContext,
  { names }: Changes,
  top: string,
): (ino: number) => string | undefined {
  const gone = new Map<number, NameChange>()
  for (const its of names) if (its.before?.type === DT_DIR) gone.set(its.before.ino, its)
  const pathTo = (ino: number): string | undefined => {
    const path = pathOf(fs.core, ino)
    if (path !== undefined) return path === '/' ? top : top + path
    const its = gone.get(ino)
    const above = its && pathTo(its.parent)
    return above === undefined ? undefined : `${above}/${its?.name}`
  }
  return pathTo
}

function stepsFor(
  fs: FsContext,
  { parent, name, going, coming }: Expected,
  at: number,
  pathTo: (ino: number) => string | undefined,
): EchoStep[] {
  const directory = pathTo(parent)
  if (directory === undefined) return []
  const steps: EchoStep[] = []
  const isOver =
    coming !== undefined && going?.type !== DT_DIR && !isDirectory(getInode(fs.core, coming).mode)
  if (going !== undefined && !isOver)
    steps.push({ directory, name, do: going.type === DT_DIR ? 'rmdir' : 'unlink' })
  if (coming !== undefined) steps.push({ directory, name, do: 'move', from: `${at}` })
  return steps
}

/** The root has no name. */
const ITSELF = { parent: ROOT_INO, name: '.' }

/** Giving a file what it has. */
function touchOf(fs: FsContext, ino: number, top: string): EchoStep | undefined {
  const inode = findInode(fs.core, ino)
  const place = inode && placeOf(fs, inode, top)
  if (inode === undefined || place === undefined) return undefined
  const { mode, uid, gid, atime, atimeNs, mtime, mtimeNs } = inode
  const to = { mode, uid, gid, atime, atimeNs, mtime, mtimeNs }
  return { ...place, do: 'touch', to }
}

/** Giving a file the size that it has: there is no other way to tell the kernel, as long as somebody has it open. */
function resizeOf(fs: FsContext, ino: number, top: string): EchoStep | undefined {
  const inode = findInode(fs.core, ino)
  const place = inode && placeOf(fs, inode, top)
  if (inode === undefined || place === undefined) return undefined
  return { ...place, do: 'resize', ino, size: inode.size }
}

function placeOf(
  fs: FsContext,
  inode: Inode,
  top: string,
): Pick<EchoStep, 'directory' | 'name'> | undefined {
  const [first] = inode.ino === ROOT_INO ? [ITSELF] : namesOfInode(fs.core, inode)
  const above = first && pathOf(fs.core, first.parent)
  if (first === undefined || above === undefined) return undefined
  return { directory: above === '/' ? top : top + above, name: first.name }
}

/** Everything is as it was but the kernel's own ctime, which the vault takes over without a trace, as it does with atime. */
function touched(fs: FsContext, ino: number, { ctime, ctimeNs }: AttributeChange): Node {
  const inode = getInode(fs.core, ino)
  if (ctime !== undefined) {
    inode.ctime = ctime
    inode.ctimeNs = ctimeNs
    if (inode.nlink > 0) fs.core.overlay.put(inodes, inode)
  }
  return toNode(inode)
}
