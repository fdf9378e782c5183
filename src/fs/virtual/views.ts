// The operations of the virtual tree: finds the node behind a number, runs its kind's operation, and refuses what the kind
// does not take. The kernel holds nodes by number, so that each record lives from LOOKUP to FORGET.

import {
  EBADF,
  EINVAL,
  EISDIR,
  ENOENT,
  ENOTDIR,
  ENXIO,
  EOPNOTSUPP,
  EROFS,
  ESTALE,
  EXDEV,
  FsError,
  fail,
} from '../../base/errno.ts'
import { isDirectory, isRegular } from '../../base/mode.ts'
import { birthOf } from '../../vault/history/timeline.ts'
import { ACL_ACCESS } from '../../vault/tree/acl.ts'
import { getXattr } from '../../vault/tree/attached.ts'
import { getInode } from '../../vault/tree/inodes.ts'
import { CAPABILITY } from '../../vault/tree/xattrs.ts'
import { assertChangeable, type FsContext, forgetNode, giveNode } from '../context.ts'
import { SEEK_DATA, SEEK_HOLE } from '../flags.ts'
import { assertName, assertNewName } from '../node.ts'
import type { Caller, Node, Operations } from '../operations.ts'
import { SOME_CAPABILITY } from '../privileges.ts'
import { MAY_READ, MAY_SEARCH } from '../reach.ts'
import { HeldContent } from './held-content.ts'
import { keepListings } from './kept-listings.ts'
import { keepPast } from './kept-past.ts'
import { keepTagged } from './kept-tagged.ts'
import { letGo } from './let-go.ts'
import { createListings } from './listings.ts'
import {
  announceGuards,
  announceSnapshots,
  announceTags,
  noteForgotten,
  noteHeld,
} from './place.ts'
import { announcePruned } from './pruned.ts'
import { rootView } from './root.ts'
import { ticksOf } from './row-ticks.ts'
import { announceDeleted } from './shown.ts'
import { announceVersions } from './told-versions.ts'
import { VIEW_BASE, type View, type Views } from './view.ts'

const TRUSTED = 'trusted.'

/** Operations on numbers from VIEW_BASE on, and what the router needs of them. */
export interface ViewOperations
  extends Omit<Operations, 'statfs' | 'syncfs' | 'releasedir' | 'copyFileRange'> {
  readonly views: Views
  /** Resolves when the kernel knows what has changed so far in views that it keeps. */
  told(): Promise<void>
  /** Lets go of what can be had again. */
  rest(): void
  /** Returns false when the handle is not one of a view. */
  releasedir(handle: number): boolean
  /** The .avfs of a directory; counts one lookup. */
  enter(directory: number): Node
  /** A file of the vault is moved or linked into a view. Returns its node, which counts one lookup. */
  take(caller: Caller, into: number, ino: number, name: string): Node
  /** A name in a view is moved to a directory of the vault. */
  giveBack(caller: Caller, from: number, name: string, parent: number, newName: string): void
}

export function createViews(fs: FsContext): ViewOperations {
  const held: Views['held'] = new Map()
  const views: Views = {
    fs,
    birth: birthOf(fs.core),
    held,
    placed: { byDirectory: new Map(), byPlace: new Map() },
    copies: new Map(),
    returns: new Map(),
    ticks: ticksOf(fs.core),
    content: new HeldContent(),
    tagged: keepTagged(fs),
    past: keepPast({ fs, held }),
    shown: new Map(),
  }
  const kept = keepListings(views)
  announceGuards(views)
  announceSnapshots(views)
  announceTags(views)
  announceDeleted(views)
  const pruned = announcePruned(views)
  announceVersions(views)

  function at(number: number): View {
    return held.get(number)?.view ?? fail(ESTALE)
  }

  /** Counts a lookup. A hash that two nodes share is the next one's trouble: it gets the number after. */
  function give(view: View): Node {
    if (view.number < VIEW_BASE) {
      const node = view.kind.attributes(views, view)
      giveNode(fs, getInode(fs.core, view.ino))
      return node
    }
    for (let known = view; ; known = { ...known, number: known.number + 1 }) {
      const before = held.get(known.number)
      const isSame = before?.view.key === known.key && before.view.ino === known.ino
      if (before !== undefined && !isSame) continue
      const node = known.kind.attributes(views, known)
      if (before === undefined) {
        known.kind.hold?.(views, known)
        noteHeld(views, known)
      }
      held.set(known.number, { view: known, count: (before?.count ?? 0) + 1 })
      return node
    }
  }

  /** The node of a listed name where it can be given, and nothing where it is gone or damaged. */
  function offer(view: View): Node | undefined {
    try {
      return give(view)
    } catch (error) {
      if (error instanceof FsError) return undefined
      throw error
    }
  }

  function forget(number: number, count: number): void {
    const known = held.get(number)
    if (known === undefined) return
    known.count -= count
    if (known.count > 0) return
    held.delete(number)
    noteForgotten(views, known.view)
    known.view.kind.release?.(views, known.view)
    kept.forget(number)
  }

  const withdraw = ({ ino }: Node): void =>
    ino < VIEW_BASE ? forgetNode(fs, ino, 1) : forget(ino, 1)
  const listings = createListings(views, { offer, withdraw })

  function find(caller: Caller, parent: View, name: string): View {
    const { kind } = parent
    if (kind.lookup === undefined) fail(ENOTDIR)
    kind.assertMay?.(views, caller, parent, MAY_SEARCH)
    // As an error, because the kernel keeps the answer "no such name" and views change by themselves.
    return kind.lookup(views, caller, parent, name) ?? fail(ENOENT)
  }

  function contentOf(number: number): View {
    const view = at(number)
    if (view.kind.read === undefined) fail(EISDIR)
    return view
  }

  function refuse(): never {
    return fail(EROFS)
  }

  return {
    views,
    told: pruned.told,
    rest() {
      listings.rest()
      letGo(views)
    },
    releasedir(handle) {
      kept.close(handle)
      const isOurs = listings.close(handle)
      if (isOurs) fs.handles.close(handle)
      return isOurs
    },
    enter: (directory) => give(rootView(directory)),
    take(caller, into, ino, name) {
      assertChangeable(fs)
      assertNewName(name)
      const view = at(into)
      if (view.kind.take === undefined) fail(EROFS)
      view.kind.take(views, caller, view, ino, name)
      return { ...giveNode(fs, getInode(fs.core, ino)), volatile: true }
    },
    giveBack(caller, from, name, parent, newName) {
      assertChangeable(fs)
      assertNewName(newName)
      const view = at(from)
      if (view.kind.giveBack === undefined) fail(EXDEV)
      view.kind.giveBack(views, caller, view, name, parent, newName)
    },

    lookup(caller, parent, name) {
      assertName(name)
      const view = at(parent)
      if (name === '.') return give(view)
      if (name === '..') {
        if (view.up >= VIEW_BASE) return give(at(view.up))
        return giveNode(fs, getInode(fs.core, view.up))
      }
      return give(find(caller, view, name))
    },
    forget,
    getattr(_caller, ino) {
      const view = at(ino)
      return view.kind.attributes(views, view)
    },
    setattr: refuse,
    readlink(_caller, ino) {
      const view = at(ino)
      return view.kind.readlink?.(views, view) ?? fail(EINVAL)
    },
    mknod: refuse,
    mkdir(caller, parent, name) {
      assertChangeable(fs)
      assertNewName(name)
      const view = at(parent)
      return give(view.kind.mkdir?.(views, caller, view, name) ?? fail(EROFS))
    },
    symlink: refuse,
    create(caller, parent, name, mode, umask) {
      assertChangeable(fs)
      assertNewName(name)
      const view = at(parent)
      return view.kind.create?.(views, caller, view, name, mode & ~umask) ?? fail(EROFS)
    },
    tmpfile: refuse,
    link: refuse,
    unlink(caller, parent, name) {
      assertChangeable(fs)
      const view = at(parent)
      if (view.kind.drop === undefined) fail(EROFS)
      view.kind.drop(views, caller, view, name)
    },
    rmdir(caller, parent, name) {
      assertChangeable(fs)
      const view = at(parent)
      if (view.kind.rmdir === undefined) fail(EROFS)
      view.kind.rmdir(views, caller, view, name)
    },
    rename(caller, parent, name, newParent, newName, flags) {
      assertChangeable(fs)
      assertNewName(newName)
      const view = at(parent)
      const into = at(newParent)
      if (flags > 1) fail(EINVAL)
      if (parent === newParent && view.kind.rename !== undefined) {
        view.kind.rename(views, caller, view, name, newName)
        return
      }
      if (parent === newParent && view.kind.replace?.(views, caller, view, name, newName) === true)
        return
      // From one label to another.
      const file = view.kind.drop && find(caller, view, name)
      if (file === undefined || file.number >= VIEW_BASE || into.kind.take === undefined)
        return fail(EROFS)
      into.kind.take(views, caller, into, file.ino, newName)
      if (parent !== newParent) view.kind.drop?.(views, caller, view, name)
    },

    read(_caller, ino, offset, size) {
      const view = contentOf(ino)
      return view.kind.read?.(views, view, offset, size) ?? fail(EISDIR)
    },
    write(_caller, ino) {
      // The kernel took the bytes into its cache before it asked: neither they nor the size that they made must stay there.
      const { up, name } = at(ino)
      void fs.notices?.inodeChanged(ino)
      if (name !== undefined) void fs.notices?.entryChanged(up, name)
      return fail(EROFS)
    },
    flush: () => undefined,
    fsync: () => Promise.resolve(),
    fallocate: refuse,
    lseek(_caller, ino, offset, whence) {
      const view = contentOf(ino)
      const { mode, size } = view.kind.attributes(views, view)
      if (!isRegular(mode) || (whence !== SEEK_DATA && whence !== SEEK_HOLE)) fail(EINVAL)
      if (offset < 0 || offset >= size) fail(ENXIO)
      return whence === SEEK_DATA ? offset : size
    },

    opendir(caller, ino) {
      const view = at(ino)
      if (!isDirectory(view.kind.attributes(views, view).mode)) fail(ENOTDIR)
      view.kind.assertMay?.(views, caller, view, MAY_READ)
      const opened = kept.open(fs.handles.next(caller.uid), view)
      const handle = fs.handles.open(caller.uid)
      listings.open(handle, caller, view)
      return { handle, ...opened }
    },
    readdir: (_caller, _ino, handle, cookie, plus, take) =>
      (listings.get(handle) ?? fail(EBADF)).read(cookie, plus, take),

    getxattr(_caller, ino, name, sizeOnly) {
      const view = at(ino)
      if (name === CAPABILITY && sizeOnly && view.kind.read !== undefined) return SOME_CAPABILITY
      if (view.kind.xattrs !== undefined) return view.kind.xattrs(views, view).get(name)
      // Who may enter the directory may enter its views.
      if (name !== ACL_ACCESS) return undefined
      return getXattr(fs.core, getInode(fs.core, view.directory), name)
    },
    listxattr(caller, ino) {
      const view = at(ino)
      const names = [...(view.kind.xattrs?.(views, view).keys() ?? [])]
      return caller.uid === 0 ? names : names.filter((name) => !name.startsWith(TRUSTED))
    },
    setxattr: (_caller, _ino, name) => fail(name.includes('.') ? EROFS : EOPNOTSUPP),
    removexattr: refuse,
  }
}
