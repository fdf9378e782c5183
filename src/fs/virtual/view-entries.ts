// Operations on names in views: looking them up, and those changes that a kind takes. All others
// are refused with EROFS.

import { EINVAL, ENOENT, ENOTDIR, EROFS, EXDEV, fail } from '../../base/errno.ts'
import { getInode } from '../../vault/tree/inodes.ts'
import { MAY_SEARCH } from '../access.ts'
import { assertChangeable, giveNode } from '../context.ts'
import { assertName, assertNewName } from '../node.ts'
import type { Caller, Node, Operations } from '../operations.ts'
import { VIEW_BASE, type View, type ViewContext } from './view.ts'
import type { ViewNodes } from './view-nodes.ts'

export interface EntryOperations
  extends Pick<
    Operations,
    | 'lookup'
    | 'mknod'
    | 'mkdir'
    | 'symlink'
    | 'create'
    | 'tmpfile'
    | 'link'
    | 'unlink'
    | 'rmdir'
    | 'rename'
  > {
  /**
   * A file of the vault is moved or linked into a view. Returns its node, which counts one lookup.
   */
  moveIn(caller: Caller, into: number, ino: number, name: string): Node
  /** A name in a view is moved to a directory of the vault. */
  moveOut(caller: Caller, from: number, name: string, parent: number, newName: string): void
}

export function entryOperations(context: ViewContext, nodes: ViewNodes): EntryOperations {
  const { fs } = context
  const { viewOf, give } = nodes
  const refuse = (): never => fail(EROFS)
  return {
    lookup: (caller, parent, name) => lookup(context, nodes, caller, parent, name),
    moveIn(caller, into, ino, name) {
      assertChangeable(fs)
      assertNewName(name)
      const view = viewOf(into)
      if (view.kind.addFile === undefined) fail(EROFS)
      view.kind.addFile(context, caller, view, ino, name)
      return { ...giveNode(fs, getInode(fs.core, ino)), volatile: true }
    },
    moveOut(caller, from, name, parent, newName) {
      assertChangeable(fs)
      assertNewName(newName)
      const view = viewOf(from)
      if (view.kind.moveOut === undefined) fail(EXDEV)
      view.kind.moveOut(context, caller, view, name, parent, newName)
    },
    mknod: refuse,
    mkdir(caller, parent, name) {
      assertChangeable(fs)
      assertNewName(name)
      const view = viewOf(parent)
      return give(view.kind.mkdir?.(context, caller, view, name) ?? fail(EROFS))
    },
    symlink: refuse,
    create(caller, parent, name, mode, umask) {
      assertChangeable(fs)
      assertNewName(name)
      const view = viewOf(parent)
      return view.kind.create?.(context, caller, view, name, mode & ~umask) ?? fail(EROFS)
    },
    tmpfile: refuse,
    link: refuse,
    unlink(caller, parent, name) {
      assertChangeable(fs)
      const view = viewOf(parent)
      if (view.kind.removeFile === undefined) fail(EROFS)
      view.kind.removeFile(context, caller, view, name)
    },
    rmdir(caller, parent, name) {
      assertChangeable(fs)
      const view = viewOf(parent)
      if (view.kind.rmdir === undefined) fail(EROFS)
      view.kind.rmdir(context, caller, view, name)
    },
    rename(caller, parent, name, newParent, newName, flags) {
      assertChangeable(fs)
      assertNewName(newName)
      const from = viewOf(parent)
      const into = viewOf(newParent)
      if (flags > 1) fail(EINVAL)
      rename(context, caller, from, name, into, newName)
    },
  }
}

function lookup(
  context: ViewContext,
  { viewOf, give }: ViewNodes,
  caller: Caller,
  parent: number,
  name: string,
): Node {
  assertName(name)
  const view = viewOf(parent)
  if (name === '.') return give(view)
  if (name !== '..') return give(find(context, caller, view, name))
  if (view.up >= VIEW_BASE) return give(viewOf(view.up))
  return giveNode(context.fs, getInode(context.fs.core, view.up))
}

function find(context: ViewContext, caller: Caller, parent: View, name: string): View {
  const { kind } = parent
  if (kind.lookup === undefined) fail(ENOTDIR)
  kind.assertAccess?.(context, caller, parent, MAY_SEARCH)
  // As an error, because the kernel keeps the answer "no such name" and views change by themselves.
  return kind.lookup(context, caller, parent, name) ?? fail(ENOENT)
}

function rename(
  context: ViewContext,
  caller: Caller,
  from: View,
  name: string,
  into: View,
  newName: string,
): void {
  const { kind } = from
  const isWithin = from.number === into.number
  if (isWithin && kind.rename !== undefined) {
    kind.rename(context, caller, from, name, newName)
    return
  }
  if (isWithin && kind.replace?.(context, caller, from, name, newName) === true) return
  // From one label to another.
  const file = kind.removeFile && find(context, caller, from, name)
  if (file === undefined || file.number >= VIEW_BASE || into.kind.addFile === undefined) fail(EROFS)
  into.kind.addFile(context, caller, into, file.ino, newName)
  if (!isWithin) kind.removeFile?.(context, caller, from, name)
}
