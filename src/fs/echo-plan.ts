// Which steps a process takes so that those who watch directories hear of changes that were made
// below the kernel; see echo.ts.

import { DT_DIR, isDirectory } from '../base/mode.ts'
import type { EntryRow } from '../store/collections.ts'
import type { Changes, NameChange } from '../vault/core/gathered.ts'
import { type Inode, ROOT_INO } from '../vault/core/inode.ts'
import { findEntry } from '../vault/tree/directory.ts'
import { findInode, getInode } from '../vault/tree/inodes.ts'
import { namesOfInode, pathOf } from '../vault/tree/names.ts'
import { type FsContext, isHeld } from './context.ts'
import type { EchoStep } from './echo-step.ts'

/**
 * What is to be seen of a name: that something goes, then that something comes, perhaps in its
 * place.
 */
export interface EchoedName {
  readonly parent: number
  readonly name: string
  /** What the name led to, until it was seen to go. */
  going: EntryRow | undefined
  /** What it leads to. */
  readonly coming: number | undefined
}

/**
 * The names to echo, of which the n-th is called n in the source directory, and all steps below the
 * mount point `top`.
 */
export function planEcho(
  fs: FsContext,
  { names, inodes, sizes = [] }: Changes,
  top: string,
): { names: EchoedName[]; steps: EchoStep[] } {
  const pathTo = pathsOf(fs, names, top)
  const echoed = names.flatMap((change) => expect(fs, change) ?? [])
  const steps = echoed.flatMap((name, index) => stepsFor(fs, name, index, pathTo))
  const touches = inodes.flatMap((ino) => touchOf(fs, ino, top) ?? [])
  const resizes = sizes.flatMap((ino) => resizeOf(fs, ino, top) ?? [])
  return { names: echoed, steps: [...steps, ...touches, ...resizes] }
}

function expect(fs: FsContext, { parent, name, before }: NameChange): EchoedName | undefined {
  const after = findEntry(fs.core, parent, name)
  if (before?.ino === after?.ino) return undefined
  const isOver = after !== undefined && after.type !== DT_DIR && before?.type !== DT_DIR
  // An inode that the kernel does not know is watched by nobody, and needs no node of its own.
  const going = isOver && before !== undefined && !isHeld(fs, before.ino) ? undefined : before
  return { parent, name, going, coming: after?.ino }
}

/** Paths of directories by their numbers, also of those that went. */
function pathsOf(
  fs: FsContext,
  names: Changes['names'],
  top: string,
): (ino: number) => string | undefined {
  const gone = new Map<number, NameChange>()
  for (const change of names)
    if (change.before?.type === DT_DIR) gone.set(change.before.ino, change)
  const pathTo = (ino: number): string | undefined => {
    const path = pathOf(fs.core, ino)
    if (path !== undefined) return path === '/' ? top : top + path
    const change = gone.get(ino)
    const above = change && pathTo(change.parent)
    return above === undefined ? undefined : `${above}/${change?.name}`
  }
  return pathTo
}

function stepsFor(
  fs: FsContext,
  { parent, name, going, coming }: EchoedName,
  index: number,
  pathTo: (ino: number) => string | undefined,
): EchoStep[] {
  const directory = pathTo(parent)
  if (directory === undefined) return []
  const steps: EchoStep[] = []
  const isOver =
    coming !== undefined && going?.type !== DT_DIR && !isDirectory(getInode(fs.core, coming).mode)
  if (going !== undefined && !isOver)
    steps.push({ directory, name, do: going.type === DT_DIR ? 'rmdir' : 'unlink' })
  if (coming !== undefined) steps.push({ directory, name, do: 'move', from: `${index}` })
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

/**
 * Giving a file the size that it has: there is no other way to tell the kernel, as long as somebody
 * has it open.
 */
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
