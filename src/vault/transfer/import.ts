// Imports a tree of records (src/archive/records.ts) at a name of the vault, and merges it as cp -a
// does: existing directories are filled, a file that differs is replaced by a new one as a whole
// (its versions stay), an equal one is left alone. Nothing is visible half done; what is refused is
// reported, and the rest continues.

import { setImmediate } from 'node:timers/promises'
import {
  attributesOf,
  BY_PATH,
  DATA,
  dataOf,
  END,
  ENTRY,
  type EntryHead,
  endOf,
  headOf,
  IMPLIED,
  LEAVE,
  leftOf,
  nameOf,
  recordsIn,
  STEP,
} from '../../archive/records.ts'
import { EISDIR, ENOTDIR, fail } from '../../base/errno.ts'
import { isDirectory, isSymlink, S_IFLNK } from '../../base/mode.ts'
import { startStep } from '../../base/step.ts'
import { Units } from '../../base/units.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { Fault } from '../../store/store.ts'
import { admitOwner } from '../core/quota.ts'
import { observeLoss } from '../history/before-loss.ts'
import { findEntry, listEntries } from '../tree/directory.ts'
import { withTrace } from '../tree/history-recording.ts'
import { findInode } from '../tree/inodes.ts'
import type { Vault } from '../vault.ts'
import { applyHead, hasHead } from './import-attributes.ts'
import { dataArrived, dropBuilding, fileEnded, putNode, startLarge } from './import-file.ts'
import { assertFit, makeDirectory } from './import-name.ts'
import { prefetchHead } from './import-prefetch.ts'
import {
  existing,
  guard,
  type ImportOptions,
  type ImportReport,
  type Run,
  type Spot,
  type Target,
} from './import-run.ts'
import { putAtPath, takeStep } from './import-steps.ts'

const SLICE_MS = 4
/** Rows in one commit, so that memory stays bounded whatever the size of a file. */
const ROWS_MAX = 20_000
/** A directory with fewer names is listed at once before it is filled. */
const LISTED_MAX = 20_000

/** Takes one stream. */
export interface Importer {
  /**
   * Takes the next bytes, cut anywhere. Throws RangeError for an invalid stream, FsError ENOSPC,
   * EDQUOT or EROFS.
   */
  take(piece: Uint8Array): Promise<void>
  /**
   * Ends the stream and makes everything durable. Rejects with StoreError when the engine refuses.
   */
  finish(): Promise<ImportReport>
  /** Must be called at the end, also after errors: drops files that were not completed. */
  end(): void
}

/** An importer for one stream; the actor of the import is the current one. */
export function importer(vault: Vault, options: ImportOptions): Importer {
  const run = newRun(vault, options)
  const units = new Units()
  return {
    async take(piece) {
      const whole = units.add(piece)
      if (whole !== undefined) units.keep(await takeAll(run, whole))
    },
    async finish() {
      if (units.waiting > 0) throw new RangeError('the stream of records was cut off')
      for (const { path } of run.large.values())
        options.problem(path, 'was cut off and is left out')
      for (const target of run.directories.values()) await step(run, () => leave(run, target))
      await run.core.commits.commit()
      return run.report
    },
    end() {
      run.core.actors.actAs(run.actor)
      for (const file of run.large.values()) dropBuilding(run, file)
      run.large.clear()
      run.core.moments.pretend(undefined)
    },
  }
}

export function newRun(vault: Vault, options: ImportOptions): Run {
  return {
    actor: vault.core.actors.actor,
    vault,
    core: vault.core,
    options,
    report: { directories: 0, files: 0, unchanged: 0, bytes: 0 },
    directories: new Map(),
    large: new Map(),
    links: new Map(),
    writtenBack: new Set(),
    pretended: undefined,
  }
}

async function takeAll(run: Run, piece: Buffer): Promise<Buffer> {
  const { core, options, report } = run
  const { synchronous } = core.overlay.store.traits
  const records = recordsIn(piece)
  let until = performance.now() + SLICE_MS
  core.actors.actAs(run.actor)
  for (;;) {
    const next = records.next()
    if (next.done === true) return next.value
    const record = next.value
    for (let wait = core.diskSpace.ask(record.length); wait !== undefined; ) {
      await wait
      core.actors.actAs(run.actor)
      wait = core.diskSpace.ask(record.length)
    }
    if (!synchronous || !takenAtOnce(run, record)) await step(run, () => takeRecord(run, record))
    run.writtenBack.clear()
    if (core.overlay.size >= ROWS_MAX) core.commits.nudge()
    const pressure = core.overlay.size >= ROWS_MAX ? core.commits.pressure : run.vault.relieve()
    if (pressure !== undefined) {
      await pressure
      core.actors.actAs(run.actor)
    } else if (options.isShared && performance.now() >= until) {
      await setImmediate()
      core.actors.actAs(run.actor)
      until = performance.now() + SLICE_MS
      options.progress(report.files + report.unchanged, report.bytes)
    }
  }
}

/** False when it had to wait for a read: take it again. */
function takenAtOnce(run: Run, record: Buffer): boolean {
  startStep()
  try {
    takeRecord(run, record)
    return true
  } catch (error) {
    if (error instanceof Fault) return false
    throw error
  }
}

/**
 * Runs a part of the import once all it reads is in memory. Others may have acted while it waited.
 */
async function step(run: Run, work: () => void): Promise<void> {
  await retryUntilLoaded(() => {
    run.core.actors.actAs(run.actor)
    work()
  })
}

/** One step: it may be repeated as long as it has changed nothing. */
function takeRecord(run: Run, record: Buffer): void {
  const kind = record.readUInt8(4)
  if (kind === ENTRY) takeEntry(run, record)
  else if (kind === DATA) {
    const { id, offset, bytes } = dataOf(record)
    assertCount(offset)
    const file = run.large.get(id)
    if (file !== undefined) guard(run, file.path, () => dataArrived(run, file, offset, bytes))
  } else if (kind === END) {
    const { id, size, flags } = endOf(record)
    assertCount(size)
    const file = run.large.get(id)
    if (file !== undefined) guard(run, file.path, () => fileEnded(run, file, size, flags))
    run.large.delete(id)
  } else if (kind === LEAVE) {
    const id = leftOf(record)
    const target = run.directories.get(id)
    if (target !== undefined) leave(run, target)
    run.directories.delete(id)
  } else if (kind === STEP) takeStep(run, record)
}

/** Streams are untrusted: values that do not fit a row must not get further. */
function assertCount(value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(NO_STREAM)
}

function assertWhole({ mtime, mtimeNs, atime, atimeNs, mode }: EntryHead): void {
  const isFit = Number.isSafeInteger(mtime) && Number.isSafeInteger(atime) && mode <= 0xffff
  if (!isFit || mtimeNs > 999_999_999 || atimeNs > 999_999_999) throw new RangeError(NO_STREAM)
}

/** Symbolic links get all permissions, whatever an archive says: on Linux they have no others. */
function fitHead(head: EntryHead): EntryHead {
  return isSymlink(head.mode) ? { ...head, mode: S_IFLNK | 0o777 } : head
}

const NO_STREAM = 'this is no stream of records'

function takeEntry(run: Run, record: Buffer): void {
  const head = fitHead(headOf(record))
  const name = nameOf(record)
  assertCount(head.size)
  assertWhole(head)
  if (head.parent === BY_PATH) {
    guard(run, `${run.options.path}/${name}`, () => {
      assertFit(head, name)
      putAtPath(run, record, head, name)
    })
    return
  }
  const place = head.parent === 0 ? rootPlace(run, head) : placeBelow(run, head.parent, name)
  if (place === undefined) return
  guard(run, place.path, () => {
    assertFit(head, name)
    if (isDirectory(head.mode)) enterDirectory(run, record, head, place)
    else if (!putNode(run, record, head, place)) startLarge(run, record, head, place)
  })
}

/** The place for the top of the stream. */
export function rootPlace(run: Run, head: EntryHead): Spot {
  const { parent, name, path, basename } = run.options
  const there = name === '' ? parent : findEntry(run.core, parent, name)?.ino
  const inode = there === undefined ? undefined : findInode(run.core, there)
  // As with cp, a file whose target is a directory goes into it.
  if (inode !== undefined && isDirectory(inode.mode) && !isDirectory(head.mode))
    return { parent: inode.ino, name: basename, path: `${path}/${basename}` }
  return { parent, name, path }
}

function placeBelow(run: Run, parent: number, name: string): Spot | undefined {
  const target = run.directories.get(parent)
  if (target?.ino === undefined) return undefined
  return { parent: target.ino, name, path: `${target.path}/${name}` }
}

function enterDirectory(run: Run, record: Buffer, head: EntryHead, place: Spot): void {
  const { core, directories } = run
  const { path } = place
  // The sender reuses the memory of its records.
  const kept = Buffer.from(record)
  directories.set(head.id, { ino: undefined, path, record: kept, isNew: false })
  const found = existing(core, place)
  if (found !== undefined) {
    if (!isDirectory(found.mode)) fail(ENOTDIR)
    if (found.size > 0 && found.size < LISTED_MAX) listEntries(core, found.ino)
    directories.set(head.id, { ino: found.ino, path, record: kept, isNew: false })
    return
  }
  const made = makeDirectory(run, head, place)
  directories.set(head.id, { ino: made.ino, path, record: kept, isNew: true })
}

/** Completes a directory. Attributes come last, because filling it changes its times. */
function leave(run: Run, { ino, path, record, isNew }: Target): void {
  const { core, options } = run
  const inode = ino === undefined ? undefined : findInode(core, ino)
  if (inode === undefined || inode.nlink === 0) return
  guard(run, path, () => {
    const head = headOf(record)
    const attributes = attributesOf(record)
    if (!isDirectory(head.mode)) fail(EISDIR)
    if (!isNew && ((head.flags & IMPLIED) !== 0 || hasHead(core, inode, head, attributes))) return
    prefetchHead(core, inode, attributes)
    admitOwner(core, inode, head.uid)
    if (isNew) applyHead(core, inode, head, attributes)
    else {
      observeLoss(core, inode)
      withTrace(core, () => applyHead(core, inode, head, attributes))
      options.inodeChanged(inode.ino)
    }
  })
}
