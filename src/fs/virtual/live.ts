// Kind: a file of the present that a view leads to: the file itself, with its own number.

import { getInode } from '../../vault/inodes.ts'
import { toNode } from '../node.ts'
import type { View, ViewKind } from './view.ts'

/** The name may lead elsewhere next time. Everything but the way to it is answered by the file system itself. */
const liveKind: ViewKind = {
  attributes: ({ fs }, { ino }) => ({ ...toNode(getInode(fs.core, ino)), volatile: true }),
}

export function liveView(ino: number, { directory, number }: View): View {
  return { number: ino, kind: liveKind, key: '', ino, directory, up: number }
}
