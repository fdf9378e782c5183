// Makes files and names of the host durable. Knows nothing of what they hold.

import { closeSync, fsyncSync, lstatSync, openSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** fsync(2) of a file or, for names in it, a folder. */
export function syncOne(path: string | Buffer): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Makes a file or a folder with all that is in it durable, and its name. */
export function syncFiles(path: string): void {
  if (lstatSync(path).isDirectory())
    for (const name of readdirSync(path)) syncFiles(join(path, name))
  syncOne(path)
  syncOne(dirname(path))
}
