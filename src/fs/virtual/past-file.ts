// Kind: anything but a directory as it was at a moment: a file, a symlink, a device.

import { EINVAL, fail } from '../../base/errno.ts'
import { isRegular, isSymlink } from '../../base/mode.ts'
import { readAt } from '../../vault/history/timeline.ts'
import { attributesOf, type PastView, rowOf, xattrsOf } from './past-tree.ts'
import type { ViewKind } from './view.ts'

export const pastFileKind: ViewKind<PastView> = {
  attributes: attributesOf,
  xattrs: xattrsOf,
  read(context, view, offset, size) {
    const row = rowOf(context, view)
    if (!isRegular(row.mode)) fail(EINVAL)
    return readAt(context.fs.core, row, view.tree.moment, offset, size)
  },
  readlink(context, view) {
    const row = rowOf(context, view)
    if (!isSymlink(row.mode)) fail(EINVAL)
    const parts = readAt(context.fs.core, row, view.tree.moment, 0, row.size)
    return Buffer.concat(parts).toString('latin1')
  },
}
