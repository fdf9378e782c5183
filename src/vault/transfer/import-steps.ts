// Imports a foreign history: files are put, moved and removed by path, step by step, each step at a
// moment of its own. In a vault without any past, steps get their original times; elsewhere the
// present ones.

import { type EntryHead, numberOf, plainHead, stepOf } from '../../archive/records.ts'
import { EEXIST, FsError, fail } from '../../base/errno.ts'
import { isDirectory, S_IFDIR } from '../../base/mode.ts'
import { idempotent } from '../../base/step.ts'
import {
  entryPast,
  inodePast,
  inode as inodes,
  MOVED,
  RENAMED,
  snapshot,
} from '../../store/collections.ts'
import { ROOT_INO } from '../core/inode.ts'
import { createSnapshot } from '../history/snapshots.ts'
import { findEntry, putEntry, removeEntry } from '../tree/directory.ts'
import { alter, findInode, getInode, stampChange } from '../tree/inodes.ts'
import { moveName } from '../tree/names.ts'
import { prefetchInode, prefetchName } from '../tree/prefetch.ts'
import { putNode, startLarge } from './import-file.ts'
import { assertPath, makeDirectory, removeNode } from './import-name.ts'
import { prefetchSpot } from './import-prefetch.ts'
import { existing, guard, type Run, type Spot } from './import-run.ts'

/**
 * What a STEP record says; its moment is beside it. time: what follows happened then. move, remove:
 * of files, by their paths below the target (byte strings without a leading slash). snapshot: names
 * the present state.
 */
export type Step =
  | { readonly step: 'time' }
  | { readonly step: 'move'; readonly from: string; readonly to: string }
  | { readonly step: 'remove'; readonly path: string }
  | { readonly step: 'snapshot'; readonly name: string }

/** Performs the step in a record. Throws RangeError for an invalid one. */
export function takeStep(run: Run, record: Buffer): void {
  const step = parsedStep(record)
  if (step.step === 'time') beginStep(run, Math.max(EARLIEST, numberOf(record)))
  else if (step.step === 'move')
    guard(run, `${run.options.path}/${step.to}`, () => move(run, step.from, step.to))
  else if (step.step === 'remove')
    guard(run, `${run.options.path}/${step.path}`, () => remove(run, step.path))
  else takeSnapshot(run, step.name)
}

/** Throws RangeError for an invalid step. */
export function parsedStep(record: Buffer): Step {
  try {
    const { step, from, to, path, name } = Object(stepOf(record)) as Record<string, unknown>
    if (step === 'time' && Number.isSafeInteger(numberOf(record))) return { step }
    if (step === 'move' && isText(from) && isText(to)) return { step, from, to }
    if (step === 'remove' && isText(path)) return { step, path }
    if (step === 'snapshot' && isText(name)) return { step, name }
  } catch {
    // Reported below.
  }
  throw new RangeError('this is no stream of records')
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

/**
 * Makes what was done before a state of its own; what follows happens at `moment`, as far as the
 * vault's past allows.
 */
function beginStep(run: Run, moment: number): void {
  const { core } = run
  core.moments.observe()
  if (run.pretended === undefined) {
    // Only a vault without a past can begin earlier.
    if (!isUntouched(run) || moment >= core.moments.last) return
    beginAt(run, moment - 1_000_000)
  }
  run.pretended = Math.max(run.pretended ?? 0, Math.min(moment, core.moments.now()))
  core.moments.pretend(run.pretended)
}

/** One second after 1970, so that the vault's creation is not before 1970. */
const EARLIEST = 1_000_000

function isUntouched({ core, report }: Run): boolean {
  if (core.nextIno !== ROOT_INO + 1 || report.files > 0) return false
  return [inodePast, entryPast, snapshot].every(
    (collection) => core.overlay.scan(collection as typeof inodePast, { limit: 1 }).length === 0,
  )
}

function beginAt({ core }: Run, moment: number): void {
  const root = getInode(core, ROOT_INO)
  root.since = moment
  root.btime = Math.floor(moment / 1_000_000)
  root.btimeNs = 0
  core.overlay.put(inodes, root)
  core.moments.rewind(moment)
}

function takeSnapshot(run: Run, name: string): void {
  const { core, options } = run
  try {
    createSnapshot(core, name)
  } catch (error) {
    if (!(error instanceof FsError)) throw error
    options.problem(name, error.errno === EEXIST ? 'there is such a snapshot' : 'no snapshot name')
  }
}

/** Puts a file at a path below the target; missing directories are created. */
export function putAtPath(run: Run, record: Buffer, head: EntryHead, path: string): void {
  const place = spotOf(run, path, head)
  const found = existing(run.core, place)
  // A directory may become a file, such as a git submodule.
  if (found !== undefined && isDirectory(found.mode)) removeTree(run, place)
  if (!putNode(run, record, head, place)) startLarge(run, record, head, place)
}

function targetDirectory(run: Run): number {
  const { parent, name } = run.options
  return name === '' ? parent : (findEntry(run.core, parent, name)?.ino ?? parent)
}

/**
 * The place of a path; with `head`, missing directories are created, replacing files if need be. A
 * repeated step finds them created.
 */
function spotOf(run: Run, path: string, head: EntryHead | undefined): Spot {
  const { core, options } = run
  const names = path.split('/')
  const name = names.pop() ?? ''
  let parent = targetDirectory(run)
  let shown = options.path
  for (const each of names) {
    shown = `${shown}/${each}`
    const place = { parent, name: each, path: shown }
    let found = existing(core, place)
    if (found !== undefined && !isDirectory(found.mode) && head !== undefined) {
      const row = findEntry(core, parent, each)
      if (row !== undefined) idempotent(() => removeNode(run, row))
      found = undefined
    }
    if (found === undefined && head === undefined) break
    const like = { ...(head as EntryHead), mode: S_IFDIR | 0o755 }
    found ??= idempotent(() => makeDirectory(run, like, place))
    parent = found.ino
  }
  return { parent, name, path: `${options.path}/${path}` }
}

function removeTree(run: Run, { parent, name }: Spot): void {
  const row = findEntry(run.core, parent, name)
  if (row !== undefined) idempotent(() => removeNode(run, row))
}

function remove(run: Run, path: string): void {
  const { core } = run
  const { parent, name } = spotOf(run, path, undefined)
  const row = findEntry(core, parent, name)
  if (row === undefined) return
  removeNode(run, row)
  removeEmpty(run, parent)
}

/**
 * Removes a directory that became empty, and its parents likewise, because git has no empty
 * directories. What this reads was already read on the way to the removed name.
 */
function removeEmpty(run: Run, ino: number): void {
  const { core } = run
  const top = targetDirectory(run)
  for (let at = ino; at !== top && at !== ROOT_INO; ) {
    const inode = findInode(core, at)
    if (inode === undefined || inode.size > 0) return
    const row = findEntry(core, inode.parent, inode.name)
    if (row?.ino !== at) return
    at = inode.parent
    removeNode(run, row)
  }
}

/** rename(2) of a file. */
function move(run: Run, from: string, to: string): void {
  const { core, options } = run
  assertPath(to)
  const source = spotOf(run, from, undefined)
  const row = findEntry(core, source.parent, source.name)
  if (row === undefined) return
  const inode = getInode(core, row.ino)
  const { mode, uid, gid } = getInode(core, targetDirectory(run))
  const place = spotOf(run, to, { ...plainHead(0), mode, uid, gid })
  const before = findEntry(core, place.parent, place.name)
  if (before !== undefined) {
    if (before.ino === row.ino) return
    idempotent(() => removeNode(run, before))
  }
  if (isDirectory(inode.mode)) fail(EEXIST)
  prefetchName(core, getInode(core, source.parent), source.name)
  prefetchSpot(core, place)
  prefetchInode(core, inode)
  alter(core, inode)
  const moment = core.moments.next()
  removeEntry(core, getInode(core, source.parent), row, moment, MOVED)
  const into = getInode(core, place.parent)
  putEntry(core, into, place.name, { ino: row.ino, type: row.type }, moment, RENAMED, row)
  moveName(core, inode, row, place)
  stampChange(inode, false)
  options.nameChanged(source.parent, source.name, row, undefined)
  options.nameChanged(place.parent, place.name, undefined, row)
  removeEmpty(run, source.parent)
}
