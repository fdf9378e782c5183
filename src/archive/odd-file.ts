// Finds files in a folder made by others that would block a reading program or never end: pipes,
// devices, sockets, and links to them.

import { type Dirent, readdirSync, type Stats, statSync } from 'node:fs'

const SLASH = Buffer.from('/')

/**
 * The first of these paths, or of the paths below them, that is neither a regular file nor a
 * directory; undefined if there is none.
 */
export function oddFile(paths: readonly string[]): string | undefined {
  const left = paths.map((path) => Buffer.from(path))
  const seen = new Set<string>()
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    const its = statOf(path)
    if (its === undefined || its.isFile()) continue
    if (!its.isDirectory()) return path.toString()
    const key = `${its.dev}:${its.ino}`
    if (seen.has(key)) continue
    seen.add(key)
    for (const entry of entriesOf(path))
      if (!entry.isFile()) left.push(Buffer.concat([path, SLASH, entry.name]))
  }
  return undefined
}

/** The stat of a link's target; undefined if the link is broken. */
function statOf(path: Buffer): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}

/** Empty if the folder cannot be read: then nothing else can read it either. */
function entriesOf(path: Buffer): Dirent<Buffer>[] {
  try {
    return readdirSync(path, { withFileTypes: true, encoding: 'buffer' })
  } catch {
    return []
  }
}
