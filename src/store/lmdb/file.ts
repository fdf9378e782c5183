// Checks the files before the binding opens them: if its open fails, the process dies of a
// segmentation fault, and a lock file made on a full disk would crash the process when it is used.

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { StoreError } from '../store.ts'
import { FULL_ADVICE, storeError } from './errors.ts'

/** The first page: a header of 24 bytes, then u32 magic, u32 version, little-endian. */
const META_OFFSET = 24
const MAGIC = 0xbeefc0de
const DATA_VERSION = 0x0000_0002
/** Two root pages. */
const FILE_BYTES_MIN = 8192
/** LMDB accepts a lock file that is longer than it needs. */
const LOCK_BYTES = 16 * 1024
/** More than a new vault and its lock file take. */
const NEW_BYTES = 1024 * 1024

/**
 * Throws StoreError 'format' for what is not an LMDB file or one of another LMDB version, 'locked'
 * if this user may not use it.
 */
export function checkFile(path: string, readOnly: boolean): void {
  const mode = readOnly ? constants.R_OK : constants.R_OK | constants.W_OK
  for (const file of [path, lockFile(path)].filter(existsSync)) {
    try {
      accessSync(file, mode)
    } catch (cause) {
      const what = readOnly ? 'read' : 'read and written'
      throw new StoreError('locked', `${file} may not be ${what} by this user`, { cause })
    }
  }
  const head = Buffer.alloc(FILE_BYTES_MIN)
  const fd = openSync(path, 'r')
  try {
    const length = readSync(fd, head)
    if (length < FILE_BYTES_MIN || head.readUInt32LE(META_OFFSET) !== MAGIC)
      throw new StoreError('format', `${path} is not an avfs vault`)
  } finally {
    closeSync(fd)
  }
  const version = head.readUInt32LE(META_OFFSET + 4)
  if (version !== DATA_VERSION)
    throw new StoreError('format', `${path} was written by another LMDB: its format is ${version}`)
}

/** Makes the lock file with all its blocks allocated. Throws StoreError. */
export function makeLockFile(path: string, readOnly: boolean): void {
  if (existsSync(lockFile(path))) return
  try {
    writeFileSync(lockFile(path), Buffer.alloc(LOCK_BYTES), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    // A read-only file system: LMDB reads without a lock then.
    if (readOnly && (error as NodeJS.ErrnoException).code === 'EROFS') return
    throw storeError(error)
  }
}

/** Throws StoreError 'full' if there is no space for a new file. */
export function needRoom(folder: string): void {
  const { bavail, bsize } = statfsSync(folder)
  if (bavail * bsize < NEW_BYTES) throw new StoreError('full', FULL_ADVICE)
}

function lockFile(path: string): string {
  return `${path}-lock`
}
