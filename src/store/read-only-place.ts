// Reads a vault where nothing can be written (a snapshot of the host, a backup disk, a DVD, another
// user's folder) through a temporary folder elsewhere: links to the files that the engine only
// reads, copies of those that it writes, and space for those that it creates. The folder is removed
// afterwards.

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { log } from '../base/log.ts'
import { addon } from '../base/native.ts'
import { assertOwnFolder, ownUser } from '../base/own-files.ts'
import { StoreError } from './store.ts'

/** True for a file that is linked rather than copied, by its path in the vault or its suffix. */
export type IsLinked = (name: string) => boolean

interface ReadingPlace {
  /** The path to open in place of the vault's. */
  readonly path: string
  remove(): void
}

const PREFIX = 'avfs-reading-'
const PIECE_BYTES = 4 * 1024 * 1024
/** A copy of more than this is logged. */
const MUCH_BYTES = 64 * 1024 * 1024

/** Whether this process can write a vault at this path. */
export function isWritablePlace(path: string): boolean {
  const folders = lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? [path] : []
  return [dirname(path), ...folders].every((folder) => {
    try {
      accessSync(folder, constants.W_OK)
      return true
    } catch {
      return false
    }
  })
}

/**
 * Makes the folder for a vault's files, the vault's own first. Throws StoreError 'full' when there
 * is no space for the copies.
 */
export function makeReadingPlace(files: readonly string[], isLinked: IsLinked): ReadingPlace {
  removeLeftovers()
  const root = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`))
  assertOwnFolder(root)
  const remove = (): void => {
    process.off('exit', remove)
    rmSync(root, { recursive: true, force: true })
  }
  process.once('exit', remove)
  try {
    const copied = { bytes: 0 }
    for (const file of files) bring(file, join(root, basename(file)), isLinked, copied)
    if (copied.bytes > MUCH_BYTES)
      log(
        'info',
        `${files[0]} cannot be written: ${copied.bytes} bytes of it are copied to ${root}`,
      )
    return { path: join(root, basename(files[0] ?? '')), remove }
  } catch (error) {
    remove()
    throw error
  }
}

function bring(from: string, to: string, isLinked: IsLinked, copied: { bytes: number }): void {
  if (isLinked(basename(from))) symlinkSync(from, to)
  else if (lstatSync(from).isDirectory()) {
    mkdirSync(to, { mode: 0o700 })
    for (const name of readdirSync(from)) bring(join(from, name), join(to, name), isLinked, copied)
  } else copied.bytes += copyFile(from, to)
}

/** Copies all but the holes of a file, and returns how many bytes that was. */
function copyFile(from: string, to: string): number {
  const input = openSync(from, 'r')
  const output = openSync(to, 'wx', 0o600)
  try {
    const { size, blocks } = fstatSync(input)
    needRoom(dirname(to), Math.min(size, blocks * 512), from)
    let bytes = 0
    const piece = Buffer.alloc(Math.min(size, PIECE_BYTES))
    for (let at = 0; at < size; ) {
      const data = addon().seek(input, at, 0)
      if (data < 0) break
      const hole = addon().seek(input, data, 1)
      for (at = data; at < hole; ) {
        const length = readSync(input, piece, 0, Math.min(piece.length, hole - at), at)
        if (length === 0) return bytes
        at += writeSync(output, piece, 0, length, at)
        bytes += length
      }
    }
    ftruncateSync(output, size)
    return bytes
  } finally {
    closeSync(input)
    closeSync(output)
  }
}

function needRoom(folder: string, bytes: number, what: string): void {
  const { bavail, bsize } = statfsSync(folder)
  if (bavail * bsize > bytes) return
  const mib = Math.ceil(bytes / 2 ** 20)
  const advice = `it is read by way of a copy, for which ${dirname(folder)} has no room: set TMPDIR`
  throw new StoreError('full', `${what} (${mib} MiB) cannot be written; ${advice}`)
}

/**
 * Removes the folders of this user's readers that were killed. The owner is checked, because
 * anybody can create a folder of that name in the shared temporary folder.
 */
function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : 0
    if (pid === 0 || existsSync(`/proc/${pid}`)) continue
    const found = lstatSync(join(tmpdir(), name), { throwIfNoEntry: false })
    if (found?.isDirectory() !== true || found.uid !== ownUser()) continue
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true })
    } catch {
      // Another reader is removing it.
    }
  }
}
