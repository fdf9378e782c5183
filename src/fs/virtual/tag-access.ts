// Who may label a file: the same for ln, mv and cp into a tag.

import { EPERM, EXDEV, fail } from '../../base/errno.ts'
import type { Core } from '../../vault/core/core.ts'
import type { Inode } from '../../vault/core/inode.ts'
import { MAY_WRITE, mayNow, type Reader } from '../access.ts'
import { taggedFile } from './tagged.ts'

/** Labels are attributes of the file: who may write to it may change them. */
export function mayTag(core: Core, reader: Reader, inode: Inode): boolean {
  return reader.uid === inode.uid || mayNow(core, reader, inode, MAY_WRITE)
}

/** Throws EPERM unless the reader may. */
export function assertMayTag(core: Core, reader: Reader, inode: Inode): void {
  if (!mayTag(core, reader, inode)) fail(EPERM)
}

/**
 * The same for labels in the tags/ of a directory. Throws EPERM; EXDEV for what is not below it, or
 * not for the reader.
 */
export function assertMayLabel(core: Core, reader: Reader, directory: number, inode: Inode): void {
  assertMayTag(core, reader, inode)
  if (taggedFile(core, directory, inode.ino, reader) === undefined) fail(EXDEV)
}
