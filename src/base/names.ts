// File names: which are valid, where byte strings may be cut, and what replaces a slash.

import { NAME_BYTES_MAX } from './limits.ts'

/** U+2215, the division slash: replaces slashes in names that are made from text with slashes. */
export const SLASH = '\u2215'

/** Whether a byte string can be the name of a file in a directory. */
export function isFileName(name: string): boolean {
  if (name === '' || name === '.' || name === '..' || name.length > NAME_BYTES_MAX) return false
  return !name.includes('/') && !name.includes('\0')
}

/** The beginning of a name, at most `room` bytes, cut between UTF-8 characters. */
export function cutName(name: string, room: number): string {
  return name.length <= room ? name : name.slice(0, room).replace(/[\xc0-\xff][\x80-\xbf]*$/, '')
}
