// A copy of a closed vault takes its name: repair and the import of a history end so. Under that
// name is the vault or the copy, whole, at every moment; where the file system cannot exchange two
// names, none is there for an instant. A note beside the vault tells whoever comes after a crash
// how far that came:
//
//   the vault is the old one   the copy is removed, if it is there: the work is done again
//   the vault is the copy      what it replaced gets the name that it was to get, or is removed
//   there is no vault          the copy gets the name
//
// It holds names, not paths, and none but those that a copy and what it replaces may have: a vault
// may come from a stranger, with a note.

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
  /** Told of each point at which a crash leaves something else behind, for tests. */
  readonly reached?: ((point: string) => void) | undefined
  /** Whether two names changed places; false where the file system cannot. */
  readonly exchange?: (path: string, other: string) => boolean
}

interface Note {
  /**
   * The name of the copy beside the vault, and its inode number; what it replaces is to be named
   * `former`, or to go.
   */
  readonly fresh: string
  readonly ino: string
  readonly former: string | null
}

/** What follows the path of a vault in that of its note. */
const SWITCH_ENDING = '.switch'
const NOTE_BYTES_MAX = 4096
/** What follows the path of a vault in that of a copy of it: of a repair, an import, a backup. */
const COPY = /^\.(repaired|importing|partial)$/
/** What stands in the name of a vault that was replaced, before the ending of its engine. */
const FORMER = /^\.damaged(-\d+)?$/

/**
 * Gives the durable copy `fresh` the name `path` of a vault that is closed and locked; the vault is
 * at `former` then, or gone when that is null. Both are of one engine and lie in one folder.
 * Durable when it returns; when it throws, the vault has its name.
 */
export function switchFiles(
  fresh: string,
  path: string,
  former: string | null,
  options: SwitchOptions = {},
): void {
  const { reached = () => undefined, exchange = exchanged } = options
  // What the copy has beside it holds nothing after its clean close.
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
  // A log is the old vault's, and must not be met beside the copy.
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

/** After an exchange: what was the vault gets its name. */
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
    // Whoever has the copy made removes it then, under the name that it knows.
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
    // Else somebody looked for the vault in that instant, and did what the note says.
    if (!existsSync(path)) {
      moveFiles(aside, path)
      throw error
    }
  }
  syncOne(dirname(path))
}

/** Where what is to go lies meanwhile. */
function asideOf(path: string): string {
  return `${path}.former`
}

/** What an engine has left beside a vault. */
function besides(path: string): string[] {
  return filesOf(path).filter((file) => file !== path)
}

function moveBesides(from: string, to: string): void {
  for (const file of besides(from)) renameSync(file, to + file.slice(from.length))
}

/** Ends a switch that was cut short, of a vault that is locked. Undefined when there was none. */
export function finishSwitch(path: string): string | undefined {
  nameCopy(path)
  const note = readNote(path)
  if (note === undefined || !existsSync(path)) return undefined
  const aside = note.former ?? asideOf(path)
  const isDone = inoOf(path) === note.ino
  // What is beside a vault that is there is that one's.
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

/** Gives a copy the name of the vault that is not there, if the note says so; needs no lock. */
export function nameCopy(path: string): void {
  if (existsSync(path)) return
  const note = readNote(path)
  // What was replaced, if it is that, is not to come back when the copy was deleted.
  if (note === undefined || !existsSync(note.fresh) || inoOf(note.fresh) !== note.ino) return
  try {
    renameSync(note.fresh, path)
  } catch (error) {
    // Another was faster.
    if (systemCode(error) !== 'ENOENT') throw error
  }
  syncOne(dirname(path))
}

/** Throws StrangerError for the note of another user, ControlError for one that makes no sense. */
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
    // Told below.
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

/** Which folder it is, whatever its name. */
function inoOf(path: string): string {
  return `${statSync(path, { bigint: true }).ino}`
}

function exchanged(path: string, other: string): boolean {
  const result = addon().exchange(path, other)
  if (result === 0) return true
  if (result === -EINVAL || result === -ENOSYS) return false
  throw new ControlError('failed', `cannot rename ${path}: ${errnoName(-result)}`, path)
}
