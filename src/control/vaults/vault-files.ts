// The files of a vault that is closed, as things on disk: what belongs to it, how large it is, and
// making a move, a copy or a removal of it durable. A vault is a file or a folder, and what an
// engine leaves beside it. Knows no engine.

import {
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { syncOne } from '../../base/sync-files.ts'
import { backends } from '../../store/open.ts'

/**
 * Of all engines, since a vault on its way to its name does not tell its own. Nothing of it is
 * needed after a clean close.
 */
const companions = [...new Set(backends.flatMap((backend) => backend.companions))]

/**
 * The paths of a vault that exist, its own last: without that it is no vault, and the others are
 * leftovers.
 */
export function filesOf(path: string): string[] {
  return [...companions.map((suffix) => path + suffix), path].filter(isThere)
}

/** True for a link that leads nowhere, too: a name that is taken. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

/** Bytes of a vault on disk, which may be open. */
export function bytesOf(path: string): number {
  return filesOf(path).reduce((sum, file) => sum + sizeOf(file), 0)
}

function sizeOf(path: string): number {
  // An engine that has it open removes files of its own while they are counted.
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat?.isDirectory() !== true) return stat?.size ?? 0
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}

/**
 * Writes a small file, whole or not at all; durable when it returns. What somebody has put in its
 * way is not followed.
 */
export function writeWhole(path: string, text: string): void {
  const fresh = `${path}.new`
  rmSync(fresh, { force: true })
  const fd = openSync(fresh, 'wx', 0o600)
  try {
    writeSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(fresh, path)
  syncOne(dirname(path))
}

/** Gives a closed vault another name in the same file system; durable when it returns. */
export function moveFiles(from: string, to: string): void {
  // The vault itself last: what is beside it holds nothing after a clean close.
  for (const file of filesOf(from)) renameSync(file, to + file.slice(from.length))
  syncOne(dirname(to))
  if (dirname(from) !== dirname(to)) syncOne(dirname(from))
}

/**
 * Removes a vault, as far as it is there. Cut short, it leaves no vault under this name, or a whole
 * one.
 */
export function removeFiles(path: string): void {
  const doomed = removedPath(path)
  rmSync(doomed, { recursive: true, force: true })
  if (isThere(path)) {
    renameSync(path, doomed)
    syncOne(dirname(path))
  }
  for (const file of filesOf(path)) rmSync(file, { recursive: true, force: true })
  rmSync(doomed, { recursive: true, force: true })
}

/** Where a vault is on its way to be removed. */
function removedPath(path: string): string {
  return `${path}.removed`
}
