// Replaces a closed vault by a copy of it, as the last step of a repair or the import of a history.
// At every moment that name refers to the complete vault or the complete copy; where the file
// system cannot exchange two names, it is missing for an instant. After a crash, a note beside the
// vault tells how far the switch came:
//
//   the vault is the old one   the copy, if any, is removed: the work is done again
//   the vault is the copy      the old vault gets its new name, or is removed
//   there is no vault          the copy gets the name
//
// The note contains names, not paths, and only those that a copy or a replaced vault can have: a
// vault may come from another user, together with a note.

import { existsSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { EINVAL, ENOSYS, errnoName } from '../../base/errno.ts'
import { addon } from '../../base/native.ts'
import { readOwn } from '../../base/own-files.ts'
import { syncOne } from '../../base/sync-files.ts'
import { backendOf } from '../../store/open.ts'
import { ControlError, systemCode } from '../wire/errors.ts'
import { filesOf, moveFiles, removeFiles, writeWhole } from './vault-files.ts'

export interface SwitchOptions {
  /** For tests: called at each point at which a crash would leave a different state behind. */
  readonly reached?: ((point: string) => void) | undefined
  /** Exchanges two names; false if the file system cannot. */
  readonly exchange?: (path: string, other: string) => boolean
}

interface Note {
  /**
   * `fresh` is the name of the copy beside the vault, `ino` its inode number; `former` is the new
   * name of the old vault, null if it is to be removed.
   */
  readonly fresh: string
  readonly ino: string
  readonly former: string | null
}

/** The suffix of the note, after the vault's path. */
const SWITCH_ENDING = '.switch'
const NOTE_BYTES_MAX = 4096
/** Suffixes of copies of a vault, after its path: of a repair, an import, a backup. */
const COPY = /^\.(repaired|importing|partial)$/
/** What is inserted in the name of a replaced vault, before the suffix of its engine. */
const FORMER = /^\.damaged(-\d+)?$/

/**
 * Gives the durable copy `fresh` the name `path` of a closed and locked vault, which is then at
 * `former`, or removed if that is null. Both must have the same engine and folder. Durable when it
 * returns; if it throws, the vault has its name.
 */
export function switchFiles(
  fresh: string,
  path: string,
  former: string | null,
  options: SwitchOptions = {},
): void {
  const { reached = () => undefined, exchange = exchanged } = options
  // After a clean close, the copy's companion files hold nothing.
  for (const file of besides(fresh)) rmSync(file, { recursive: true })
  if (former === null && statSync(path).isFile() && besides(path).length === 0) {
    renameSync(fresh, path)
    syncOne(dirname(path))
    return
  }
  const aside = former ?? asideOf(path)
  const note = { fresh: basename(fresh), ino: inoOf(fresh), former: former && basename(former) }
  removeFiles(asideOf(path))
  writeWhole(path + SWITCH_ENDING, `${JSON.stringify(note)}\n`)
  reached('noted')
  // A log belongs to the old vault, and must not be found beside the copy.
  moveBesides(path, aside)
  reached('parted')
  try {
    if (exchange(fresh, path)) turnOver(fresh, path, aside, exchange, reached)
    else moveBoth(fresh, path, aside, reached)
  } catch (error) {
    moveBesides(aside, path)
    removeNote(path)
    throw error
  }
  reached('switched')
  if (former === null) removeFiles(aside)
  removeNote(path)
}

/** After an exchange, moves the old vault from the copy's name to `aside`. */
function turnOver(
  fresh: string,
  path: string,
  aside: string,
  exchange: (path: string, other: string) => boolean,
  reached: (point: string) => void,
): void {
  try {
    syncOne(dirname(path))
    reached('exchanged')
    moveFiles(fresh, aside)
  } catch (error) {
    // Exchanged back, so that the caller finds the copy under its name and removes it.
    if (existsSync(fresh)) exchange(fresh, path)
    throw error
  }
}

function moveBoth(
  fresh: string,
  path: string,
  aside: string,
  reached: (point: string) => void,
): void {
  moveFiles(path, aside)
  reached('aside')
  try {
    renameSync(fresh, path)
  } catch (error) {
    // Otherwise another process met the missing vault and did what the note says.
    if (!existsSync(path)) {
      moveFiles(aside, path)
      throw error
    }
  }
  syncOne(dirname(path))
}

/** The temporary path of a vault to be removed. */
function asideOf(path: string): string {
  return `${path}.former`
}

/** The companion files that an engine has left beside a vault. */
function besides(path: string): string[] {
  return filesOf(path).filter((file) => file !== path)
}

function moveBesides(from: string, to: string): void {
  for (const file of besides(from)) renameSync(file, to + file.slice(from.length))
}

/**
 * Completes an interrupted switch of a locked vault. Returns a message, or undefined if there was
 * none.
 */
export function finishSwitch(path: string): string | undefined {
  nameCopy(path)
  const note = readNote(path)
  if (note === undefined || !existsSync(path)) return undefined
  const aside = note.former ?? asideOf(path)
  const isDone = inoOf(path) === note.ino
  // Companion files that are already in place belong to the vault there.
  if (!isDone && !existsSync(aside)) moveBesides(aside, path)
  if (!isDone || note.former === null) removeFiles(note.fresh)
  else if (existsSync(note.fresh)) moveAside(note.fresh, note.former)
  if (note.former === null) removeFiles(aside)
  removeNote(path)
  if (!isDone) return `an earlier copy of ${path} did not take its place; removed it`
  return note.former === null
    ? `${path} was replaced; removed what was left of what it was`
    : `${path} was replaced; the vault as it was: ${note.former}`
}

function moveAside(from: string, to: string): void {
  if (existsSync(to))
    throw new ControlError(
      'exists',
      `${from} was to become ${to}, which is there: move it away`,
      to,
    )
  moveFiles(from, to)
}

/** Gives the copy the name of a missing vault, if the note says so; needs no lock. */
export function nameCopy(path: string): void {
  if (existsSync(path)) return
  const note = readNote(path)
  // Checks the inode: what has the copy's name may be the old vault, exchanged, which must not come
  // back if the copy was deleted.
  if (note === undefined || !existsSync(note.fresh) || inoOf(note.fresh) !== note.ino) return
  try {
    renameSync(note.fresh, path)
  } catch (error) {
    // Another process was faster.
    if (systemCode(error) !== 'ENOENT') throw error
  }
  syncOne(dirname(path))
}

/** Throws StrangerError for a note of another user, ControlError for an invalid one. */
function readNote(path: string): Note | undefined {
  const text = readOwn(path + SWITCH_ENDING, NOTE_BYTES_MAX)
  if (text === undefined) return undefined
  const { fresh, ino, former } = noteOf(path, text)
  const beside = (name: string): string => join(dirname(path), name)
  return { fresh: beside(fresh), ino, former: former === null ? null : beside(former) }
}

function noteOf(path: string, text: string): Note {
  try {
    const parsed: unknown = JSON.parse(text)
    if (isNote(parsed, basename(path))) return parsed
  } catch {
    // Reported below.
  }
  const note = path + SWITCH_ENDING
  throw new ControlError('failed', `${note} makes no sense: look what it is, and remove it`, note)
}

function isNote(value: unknown, name: string): value is Note {
  if (typeof value !== 'object' || value === null) return false
  const { fresh, ino, former } = value as Record<string, unknown>
  const { suffix } = backendOf(name)
  const stem = name.endsWith(suffix) ? name.slice(0, -suffix.length) : name
  const isFormer =
    former === null ||
    (typeof former === 'string' &&
      former.startsWith(stem) &&
      former.endsWith(name.slice(stem.length)) &&
      FORMER.test(former.slice(stem.length, former.length - (name.length - stem.length))))
  const isFresh =
    typeof fresh === 'string' && fresh.startsWith(name) && COPY.test(fresh.slice(name.length))
  return isFresh && typeof ino === 'string' && isFormer
}

function removeNote(path: string): void {
  rmSync(path + SWITCH_ENDING)
  syncOne(dirname(path))
}

/** Identifies a file or folder, whatever its name. */
function inoOf(path: string): string {
  return `${statSync(path, { bigint: true }).ino}`
}

function exchanged(path: string, other: string): boolean {
  const result = addon().exchange(path, other)
  if (result === 0) return true
  if (result === -EINVAL || result === -ENOSYS) return false
  throw new ControlError('failed', `cannot rename ${path}: ${errnoName(-result)}`, path)
}
