// Names of tags and snapshots are text, names of files are bytes: from one to the other.

import { EINVAL, fail } from '../../base/errno.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The bytes of a text, as a name. */
export function toName(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** The text that a name spells, for finding what is called so; undefined when it is not UTF-8. */
export function textOf(name: string): string | undefined {
  try {
    return decoder.decode(Buffer.from(name, 'latin1'))
  } catch {
    return undefined
  }
}

/** The text that a name spells, for calling something so. Throws EINVAL when it is not UTF-8. */
export function shownName(name: string): string {
  return textOf(name) ?? fail(EINVAL)
}
