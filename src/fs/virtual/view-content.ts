// Operations on the content and the attributes of views. They are read-only: what changes is
// refused with EROFS.

import { EINVAL, EISDIR, ENXIO, EOPNOTSUPP, EROFS, fail } from '../../base/errno.ts'
import { isRegular } from '../../base/mode.ts'
import { ACL_ACCESS } from '../../vault/tree/acl.ts'
import { getXattr } from '../../vault/tree/attached.ts'
import { getInode } from '../../vault/tree/inodes.ts'
import { CAPABILITY } from '../../vault/tree/xattrs.ts'
import { SEEK_DATA, SEEK_HOLE } from '../flags.ts'
import type { Operations } from '../operations.ts'
import { SOME_CAPABILITY } from '../privileges.ts'
import type { View, ViewContext } from './view.ts'
import type { ViewNodes } from './view-nodes.ts'

const TRUSTED = 'trusted.'

type ContentOperations = Pick<
  Operations,
  'readlink' | 'read' | 'write' | 'flush' | 'fsync' | 'fallocate' | 'lseek'
>

export function contentOperations(context: ViewContext, { viewOf }: ViewNodes): ContentOperations {
  const { fs } = context

  function fileOf(number: number): View {
    const view = viewOf(number)
    if (view.kind.read === undefined) fail(EISDIR)
    return view
  }

  return {
    readlink(_caller, ino) {
      const view = viewOf(ino)
      return view.kind.readlink?.(context, view) ?? fail(EINVAL)
    },
    read(_caller, ino, offset, size) {
      const view = fileOf(ino)
      return view.kind.read?.(context, view, offset, size) ?? fail(EISDIR)
    },
    write(_caller, ino) {
      // The kernel took the bytes into its cache before it asked: neither they nor the size that
      // they made must stay there.
      const { up, name } = viewOf(ino)
      void fs.notices?.inodeChanged(ino)
      if (name !== undefined) void fs.notices?.entryChanged(up, name)
      return fail(EROFS)
    },
    flush: () => undefined,
    fsync: () => Promise.resolve(),
    fallocate: () => fail(EROFS),
    lseek(_caller, ino, offset, whence) {
      const view = fileOf(ino)
      const { mode, size } = view.kind.attributes(context, view)
      if (!isRegular(mode) || (whence !== SEEK_DATA && whence !== SEEK_HOLE)) fail(EINVAL)
      if (offset < 0 || offset >= size) fail(ENXIO)
      return whence === SEEK_DATA ? offset : size
    },
  }
}

type AttributeOperations = Pick<
  Operations,
  'getattr' | 'setattr' | 'getxattr' | 'listxattr' | 'setxattr' | 'removexattr'
>

export function attributeOperations(
  context: ViewContext,
  { viewOf }: ViewNodes,
): AttributeOperations {
  const { core } = context.fs
  return {
    getattr(_caller, ino) {
      const view = viewOf(ino)
      return view.kind.attributes(context, view)
    },
    setattr: () => fail(EROFS),
    getxattr(_caller, ino, name, sizeOnly) {
      const view = viewOf(ino)
      if (name === CAPABILITY && sizeOnly && view.kind.read !== undefined) return SOME_CAPABILITY
      if (view.kind.xattrs !== undefined) return view.kind.xattrs(context, view).get(name)
      // Who may enter the directory may enter its views.
      if (name !== ACL_ACCESS) return undefined
      return getXattr(core, getInode(core, view.directory), name)
    },
    listxattr(caller, ino) {
      const view = viewOf(ino)
      const names = [...(view.kind.xattrs?.(context, view).keys() ?? [])]
      return caller.uid === 0 ? names : names.filter((name) => !name.startsWith(TRUSTED))
    },
    setxattr: (_caller, _ino, name) => fail(name.includes('.') ? EROFS : EOPNOTSUPP),
    removexattr: () => fail(EROFS),
  }
}
