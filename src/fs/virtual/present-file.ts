// Kind: a file of the present that a view leads to: the file itself, with its own number.

import { getInode } from '../../vault/tree/inodes.ts'
import { toNode } from '../node.ts'
import type { View, ViewKind } from './view.ts'

interface PresentView extends View {
  readonly nameMs: number
}

/**
 * Only the lookup goes through here: the node is the vault's own, which answers everything else.
 */
const presentKind: ViewKind<PresentView> = {
  attributes: ({ fs }, { ino, nameMs }) => ({ ...toNode(getInode(fs.core, ino)), nameMs }),
}

/** `nameMs`: how long the kernel may keep the name. */
export function presentView(ino: number, { directory, number }: View, nameMs = 0): PresentView {
  return { number: ino, kind: presentKind, key: '', ino, directory, up: number, nameMs }
}
