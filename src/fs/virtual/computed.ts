// Kind: a small file or symlink whose content is computed when its name is looked up, and stays
// what it was for whoever opened it then.

import { hash } from 'node:crypto'
import { EINVAL, fail } from '../../base/errno.ts'
import { DT_LNK, DT_REG } from '../../base/mode.ts'
import type { Caller } from '../operations.ts'
import { directoryAttributes } from './attributes.ts'
import { numberOf, type View, type ViewKind } from './view.ts'

interface ComputedView extends View {
  readonly type: number
  readonly content: Uint8Array
  /** Who asked for it; 0 for symlinks, which are short. */
  readonly uid: number
  readonly nameMs?: number
}

function computed(
  fixedPath: string,
  { directory, number }: View,
  type: number,
  content: Uint8Array,
): ComputedView {
  // The kernel caches content by number: other content gets another number.
  const key = `${fixedPath}\0${directory}\0${hash('sha256', content)}`
  return {
    number: numberOf(key),
    kind: computedKind,
    key,
    ino: 0,
    directory,
    up: number,
    type,
    content,
    uid: 0,
  }
}

/** A JSON file `name` in the view `up`; its memory counts for the caller. */
export function jsonFile(name: string, up: View, { uid }: Caller, value: unknown): ComputedView {
  const content = Buffer.from(`${JSON.stringify(value, undefined, 2)}\n`)
  return { ...computed(name, up, DT_REG, content), name, uid }
}

/** A symlink; `target` is a byte string. `nameMs`: how long its name leads there. */
export function symlinkTo(fixedPath: string, up: View, target: string, nameMs = 0): ComputedView {
  return { ...computed(fixedPath, up, DT_LNK, Buffer.from(target, 'latin1')), fixedPath, nameMs }
}

const computedKind: ViewKind<ComputedView> = {
  attributes(context, view) {
    const node = directoryAttributes(context, view, true)
    const mode = view.type === DT_LNK ? 0o777 : node.mode & 0o444
    const { type, content, nameMs = 0 } = view
    return {
      ...node,
      mode: (type << 12) | mode,
      size: content.length,
      volatile: nameMs === 0,
      nameMs,
    }
  },
  hold({ content: held, fs }, { type, content, number, up, name, uid }) {
    if (type === DT_REG && name !== undefined)
      held.hold({ number, up, name, uid, bytes: content.length }, fs.notices)
  },
  release: ({ content }, { number }) => content.release(number),
  read: (_views, view, offset, size) =>
    view.type === DT_REG ? [view.content.subarray(offset, offset + size)] : fail(EINVAL),
  readlink: (_views, view) =>
    view.type === DT_LNK ? Buffer.from(view.content).toString('latin1') : fail(EINVAL),
}
