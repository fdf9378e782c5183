// The files of a closed vault on disk: which belong to it, their size, and how to move, write or
// remove them durably. A vault is a file or a folder, plus what an engine leaves beside it. Knows
// no engine.

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
 * The companion suffixes of all engines, since a temporary name does not tell the vault's engine.
 * None of these files is needed after a clean close.
 */
const companions = [...new Set(backends.flatMap((backend) => backend.companions))]

/** The existing paths of a vault, its own last: without that, the others are leftovers. */
export function filesOf(path: string): string[] {
  return [...companions.map((suffix) => path + suffix), path].filter(isThere)
}

/** True also for a broken link: the name is taken. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

/** Bytes of a vault on disk, which may be open. */
export function bytesOf(path: string): number {
  return filesOf(path).reduce((sum, file) => sum + sizeOf(file), 0)
}

function sizeOf(path: string): number {
  // An engine that has it open may remove files meanwhile.
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat?.isDirectory() !== true) return stat?.size ?? 0
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
}

/**
 * Writes a small file atomically; durable when it returns. A link that somebody has placed there is
 * not followed.
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

/** Renames a closed vault within its file system; durable when it returns. */
export function moveFiles(from: string, to: string): void {
  // The vault itself last: its companion files hold nothing after a clean close.
  for (const file of filesOf(from)) renameSync(file, to + file.slice(from.length))
  syncOne(dirname(to))
  if (dirname(from) !== dirname(to)) syncOne(dirname(from))
}

/**
 * Removes a vault, as far as it exists. If interrupted, there is either no vault under this name,
 * or a complete one.
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

/** The temporary path of a vault that is being removed. */
function removedPath(path: string): string {
  return `${path}.removed`
}
