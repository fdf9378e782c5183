// File names: which there are, where byte strings have to be cut, and what stands for a slash.

import { NAME_BYTES_MAX } from './limits.ts'

/**
 * U+2215, the division slash: what is called after something with slashes has it in their place.
 */
export const SLASH = '\u2215'

/** Whether a byte string can be the name of a file in a directory. */
export function isFileName(name: string): boolean {
  if (name === '' || name === '.' || name === '..' || name.length > NAME_BYTES_MAX) return false
  return !name.includes('/') && !name.includes('\0')
}

/** The beginning of a name, at most `room` bytes, cut between characters of UTF-8. */
export function cutName(name: string, room: number): string {
  return name.length <= room ? name : name.slice(0, room).replace(/[\xc0-\xff][\x80-\xbf]*$/, '')
}
