// Whether SQLite can read a file in a place where it cannot write.

import { closeSync, openSync, readSync, statSync } from 'node:fs'

/** Offset of the read version in the file's header: 2 stands for a write-ahead log, 1 for none. */
const READ_VERSION_AT = 19
const WITH_LOG = 2

/**
 * To read a file with a write-ahead log, SQLite needs the log and its shared-memory index. Both
 * exist if the file was not closed; otherwise it has to create them. A journal has to be rolled
 * back.
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
