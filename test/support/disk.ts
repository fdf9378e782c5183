// The bytes of files as they are on the disk, for tests of what must not be in them.

import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The files at and below a path that hold the bytes. */
export function filesWith(path: string, bytes: string | Buffer): string[] {
  const stat = lstatSync(path)
  if (stat.isDirectory())
    return readdirSync(path).flatMap((name) => filesWith(join(path, name), bytes))
  return stat.isFile() && readFileSync(path).includes(bytes) ? [path] : []
}
