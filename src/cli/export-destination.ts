// Where an export is written: never into a vault, and an archive gets its name only when it is
// whole. Paths are byte strings.

import {
  chmodSync,
  existsSync,
  lstatSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
} from 'node:fs'
import { posix } from 'node:path'
import { syncOne } from '../base/sync-files.ts'
import { toText } from '../control/wire/byte-strings.ts'
import { ControlError } from '../control/wire/errors.ts'
import { persistentBackends } from '../store/open.ts'

/**
 * Throws ControlError 'exists' when a path is that of a vault, or leads into one: `own`, which is
 * exported, or another.
 */
export function assertNoVault(path: string, own: string): void {
  const real = realPathOf(path)
  for (let ancestor = real; ancestor !== '/'; ancestor = posix.dirname(ancestor))
    if (isVault(ancestor, own))
      throw new ControlError(
        'exists',
        `${toText(ancestor)} is a vault: say another place`,
        toText(ancestor),
      )
}

function isVault(path: string, own: string): boolean {
  const stat = statOf(path)
  if (stat === undefined) return false
  if (toText(path) === own) return true
  const backend = persistentBackends.find(({ suffix }) => path.endsWith(suffix))
  if (backend === undefined) return false
  return backend.isFolder ? existsSync(bytesOf(`${path}/CURRENT`)) : stat.isFile()
}

/** What a path leads to, as far as it exists. */
function realPathOf(path: string): string {
  if (lstatSync(bytesOf(path), { throwIfNoEntry: false }) !== undefined)
    try {
      return realpathSync(bytesOf(path), 'latin1')
    } catch {
      // A dangling link.
      return path
    }
  const { dir, base } = posix.parse(path)
  return base === '' ? path : posix.join(realPathOf(dir), base)
}

/** Undefined where nothing is, or nothing that we may see. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(bytesOf(path))
  } catch {
    return undefined
  }
}

interface Archive {
  /** Where to write it, and whether that is an existing pipe or device. */
  readonly path: string
  readonly isStream: boolean
  /** Gives it its name, with the mode of what it replaces. */
  keep(): void
  /** Takes back what was written, unless it was kept. */
  drop(): void
}

/** A new archive that is to be at `path`. Throws ControlError 'failed' when that is a directory. */
export function newArchive(path: string): Archive {
  const before = statOf(path)
  if (before?.isDirectory() === true)
    throw new ControlError('failed', `${toText(path)} is a directory`, toText(path))
  if (before?.isFile() === false)
    return { path, isStream: true, keep: () => undefined, drop: () => undefined }
  const target = realPathOf(path)
  const partial = `${target}.${process.pid}.partial`
  return {
    path: partial,
    isStream: false,
    keep() {
      if (before !== undefined) chmodSync(bytesOf(partial), before.mode & 0o7777)
      renameSync(bytesOf(partial), bytesOf(target))
      syncOne(bytesOf(posix.dirname(target)))
    },
    drop: () => rmSync(bytesOf(partial), { force: true }),
  }
}

function bytesOf(path: string): Buffer {
  return Buffer.from(path, 'latin1')
}
