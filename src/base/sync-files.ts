// Makes files and names of the host durable. Knows nothing of their contents.

import { closeSync, fsyncSync, lstatSync, openSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** fsync(2) of a file, or of a folder for the names in it. */
export function syncOne(path: string | Buffer): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Makes a file, or a folder with everything in it, durable, and its name, too. */
export function syncFiles(path: string): void {
  if (lstatSync(path).isDirectory())
    for (const name of readdirSync(path)) syncFiles(join(path, name))
  syncOne(path)
  syncOne(dirname(path))
}
