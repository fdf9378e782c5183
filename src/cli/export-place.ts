// Where an export may go: nowhere into a vault, and an archive under its name only when it is whole. Paths are byte strings.

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

/** Throws ControlError 'exists' when a path is that of a vault, or leads into one: `own`, which is exported, or another. */
export function assertNoVault(path: string, own: string): void {
  const real = realPathOf(path)
  for (let at = real; at !== '/'; at = posix.dirname(at))
    if (isVault(at, own))
      throw new ControlError('exists', `${toText(at)} is a vault: say another place`, toText(at))
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
      // A link that leads nowhere.
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
  /** Where to write it, and whether that is a pipe or a device, which is there and stays. */
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
