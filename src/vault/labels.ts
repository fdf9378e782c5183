// What a snapshot or a tag may be called: they are file names in the views.

import { EINVAL, ENAMETOOLONG, fail } from '../base/errno.ts'
import { NAME_BYTES_MAX } from '../base/limits.ts'

/** Throws EINVAL for a name that cannot be a file's or that would garble a terminal, ENAMETOOLONG. */
export function assertLabel(name: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (name === '' || name === '.' || name === '..' || /[/\x00-\x1f\x7f-\x9f]/.test(name))
    fail(EINVAL)
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) fail(ENAMETOOLONG)
}
