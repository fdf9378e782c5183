// Names are bytes; in memory they are byte strings, one char per byte. Converts them to text for
// people and back.

import { posix } from 'node:path'

/** Text as a byte string of its UTF-8. */
export function toBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** A byte string as text for people; invalid UTF-8 becomes U+FFFD. */
export function toText(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

/**
 * The absolute form of a path. Asks for the current directory, which may be gone, only if needed.
 */
export function absoluteBytes(path: string): string {
  return path.startsWith('/') ? posix.resolve(path) : posix.resolve(toBytes(process.cwd()), path)
}
