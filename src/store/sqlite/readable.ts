// Whether SQLite can read a file where it can write nothing beside it.

import { closeSync, openSync, readSync, statSync } from 'node:fs'

/** Of the file's head: 2 stands for a write-ahead log, 1 for none. */
const READ_VERSION_AT = 19
const WITH_LOG = 2

/**
 * A file with a write-ahead log needs that and its index of it, which exist where it was not
 * closed; without them it can be read where they can be made.
 */
export function isReadable(path: string): boolean {
  if (isThere(`${path}-journal`)) return false
  return isThere(`${path}-wal`) ? isThere(`${path}-shm`) : readVersion(path) !== WITH_LOG
}

function isThere(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0
}

function readVersion(path: string): number {
  const fd = openSync(path, 'r')
  try {
    const head = Buffer.alloc(READ_VERSION_AT + 1)
    readSync(fd, head)
    return head.readUInt8(READ_VERSION_AT)
  } finally {
    closeSync(fd)
  }
}
