// Restores a past state as a new one: a file or a whole directory as of a moment, put at a present
// name. Content is shared with the past, not copied; what is replaced or removed stays in history,
// and what is the same already is left alone.
//
// A file that differs is replaced by a new inode, as editors save: whoever has the old one open
// keeps it, and everybody else sees either the whole old file or the whole new one.

import { ENOENT, fail } from '../../base/errno.ts'
import { fileType, isDirectory, isRegular, isSymlink } from '../../base/mode.ts'
import { type EntryRow, type InodeRow, RESTORED } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Core } from '../core/core.ts'
import { assertMeeting, meetingCheck } from '../core/cycles.ts'
import { ROW_BYTES } from '../core/disk-space.ts'
import { type Inode, ROOT_INO } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import type { Observer } from '../core/observer.ts'
import { admit, admitInstead, admitOwner } from '../core/quota.ts'
import { slicesOf } from '../core/time-slices.ts'
import { findEntry, listEntries, putEntry, startDirectory } from '../tree/directory.ts'
import { withTrace } from '../tree/history-recording.ts'
import { createInode, detach, findInode, getInode } from '../tree/inodes.ts'
import { giveName } from '../tree/names.ts'
import { below } from '../tree/places.ts'
import { prefetchName, prefetchTags } from '../tree/prefetch.ts'
import { setTags, tagsAt } from '../tree/tags.ts'
import { observeLoss } from './before-loss.ts'
import { applyAttributes, hasAttributes, prefetchAttributes } from './restore-attributes.ts'
import { hasContent, shareContent } from './restore-content.ts'
import { nameFile, removeNewer, removeTree } from './restore-names.ts'
import {
  getDirectory,
  type RestoreOptions,
  type RestoreReport,
  type Run,
  type Spot,
  spotBelow,
  spotIn,
} from './restore-run.ts'
import { reviveInode } from './revive.ts'
import { entriesAt, entryAt, inodeAt } from './timeline.ts'

const PAGE_NAMES = 1000
/** Rows of extents that share blocks take about 1/512 of the content's size. */
const EXTENT_SHARE = 512

/**
 * Puts the state of inode `ino` as of `moment` at `name` in directory `parent`; the name '' means
 * the directory itself. Other work runs in between, so a directory is restored name by name. Throws
 * ENOENT (there was no such state, or the directory is gone), ENOTDIR, EIO (damaged), ENOSPC,
 * EDQUOT.
 */
export async function restoreTree(
  core: Core,
  from: { readonly ino: number; readonly moment: Moment },
  to: { readonly parent: number; readonly name: string },
  options: RestoreOptions,
): Promise<RestoreReport> {
  const run = newRun(core, from, options)
  // Makes the present part of history, so that later changes do not overwrite a state being read.
  core.moments.observe()
  const spot = await retryUntilLoaded(() => spotIn(core, to.parent, to.name))
  if (to.name === '')
    await restoreInto(
      run,
      await retryUntilLoaded(() => stateOf(run, from.ino)),
      spot,
      to.parent,
      false,
    )
  else await restoreName(run, await retryUntilLoaded(() => stateOf(run, from.ino)), spot)
  await run.slices.settle()
  return run.report
}

function newRun(
  core: Core,
  { ino, moment }: { readonly ino: number; readonly moment: Moment },
  options: RestoreOptions,
): Run {
  const { actor } = core.actors
  const report: RestoreReport = { restored: 0, unchanged: 0, removed: 0, kept: 0 }
  const slices = slicesOf(core)
  const fresh = { links: new Map(), taken: new Set<number>(), isNew: meetingCheck(ino) }
  return { core, actor, moment, options, slices, report, ...fresh }
}

/** A copy, because the row may belong to the inode in memory. */
function stateOf(run: Run, ino: number): InodeRow {
  return { ...(inodeAt(run.core, ino, run.moment) ?? fail(ENOENT)) }
}

async function restoreName(run: Run, then: InodeRow, spot: Spot): Promise<void> {
  await retryUntilLoaded(() =>
    run.core.diskSpace.grow(ROW_BYTES + Math.ceil(then.size / EXTENT_SHARE)),
  )
  if (isDirectory(then.mode)) await restoreDirectory(run, then, spot)
  else await restoreFile(run, then, spot)
  await run.slices.turn()
}

async function restoreDirectory(run: Run, then: InodeRow, spot: Spot): Promise<void> {
  const { row, now } = await retryUntilLoaded(() => present(run.core, spot))
  if (now !== undefined && isDirectory(now.mode) && !run.options.isRename)
    return await restoreInto(run, then, spot, now.ino, false)
  if (row !== undefined) await removeTree(run, spot, row)
  const made = await retryUntilLoaded(() => makeDirectory(run, then, spot))
  await restoreInto(run, then, spot, made.ino, true)
}

/** What a name leads to now. */
export function present(
  core: Core,
  { parent, name }: Spot,
): { row: EntryRow | undefined; now: Inode | undefined } {
  const row = findEntry(core, parent, name)
  return { row, now: row === undefined ? undefined : findInode(core, row.ino) }
}

function makeDirectory(run: Run, then: InodeRow, { parent, name, path }: Spot): Inode {
  const { core, options } = run
  admit(core, then.uid, { bytes: 0, files: 1 })
  core.actors.actAs(run.actor)
  const directory = getDirectory(core, parent)
  const tags = tagsAt(core, then.ino, run.moment)
  prefetchName(core, directory, name)
  prefetchTags(core, core.nextIno, tags)
  // Under its old number a directory regains its history, and that of the names in it.
  const made =
    reviveInode(core, then.ino, core.moments.next()) ??
    createInode(core, { ...then, parent }, core.moments.next(), false)
  made.nlink = 2
  startDirectory(core, made.ino)
  const to = { ino: made.ino, type: fileType(made.mode) }
  putEntry(core, directory, name, to, core.moments.next(), RESTORED)
  giveName(core, made, parent, name)
  directory.nlink++
  if (made.ino !== then.ino) setTags(core, made, tags)
  options.nameChanged(parent, name, undefined, to)
  options.heard('created', path)
  return made
}

/** Gives the present directory `ino` the entries and attributes of `then`. */
async function restoreInto(
  run: Run,
  then: InodeRow,
  spot: Spot,
  ino: number,
  isNew: boolean,
): Promise<void> {
  const { core, moment, options } = run
  for (let after: string | undefined; ; ) {
    const from = after
    const rows = await retryUntilLoaded(() =>
      entriesAt(core, then.ino, moment, from, PAGE_NAMES, options.passing),
    )
    for (const { ino: its, name } of rows) {
      const row = await retryUntilLoaded(() => stateOf(run, its))
      assertMeeting(run.isNew, row, then.ino, name)
      await restoreName(run, row, spotBelow(spot, ino, name))
    }
    if (rows.length < PAGE_NAMES) break
    after = rows[rows.length - 1]?.name
  }
  if (options.removeNewer)
    for (const row of await retryUntilLoaded(() => listEntries(core, ino))) {
      const was = await retryUntilLoaded(() => entryAt(core, then.ino, row.name, moment))
      if (was === undefined) await removeNewer(run, spotBelow(spot, ino, row.name), row)
    }
  // Last, because filling a directory changes its times.
  const isChanged = await retryUntilLoaded(() => finish(run, getInode(core, ino), then, isNew))
  if (isChanged && !isNew) options.heard('changed', spot.path)
}

async function restoreFile(run: Run, then: InodeRow, spot: Spot): Promise<void> {
  const { core, moment, options } = run
  const { row, now } = await retryUntilLoaded(() => present(core, spot))
  const linked = run.links.get(then.ino)
  if (now !== undefined && now.ino === linked) return
  if (now !== undefined) await options.writtenBack(now.ino)
  const isOwn = now !== undefined && !run.taken.has(now.ino) && !options.isRename
  const own = isOwn ? now : undefined
  if (own !== undefined && linked === undefined) {
    if (await retryUntilLoaded(() => hasContent(core, own, then, moment))) {
      take(run, then, own)
      if (await retryUntilLoaded(() => finish(run, own, then))) options.heard('changed', spot.path)
      return
    }
  }
  const isDirectoryNow = now !== undefined && isDirectory(now.mode)
  if (row !== undefined && isDirectoryNow) await removeTree(run, spot, row)
  const freed = now?.nlink === 1 || isEverywhere(own, then) ? now : undefined
  const made =
    linked === undefined
      ? await makeFile(run, then, freed)
      : await retryUntilLoaded(() => getInode(core, linked))
  const first = linked === undefined ? then : undefined
  await retryUntilLoaded(() => nameFile(run, spot, made, first, isEverywhere(own, then)))
  take(run, then, made)
  run.slices.changed(1)
  run.report.restored++
}

function take({ links, taken }: Run, then: InodeRow, now: Inode): void {
  links.set(then.ino, now.ino)
  taken.add(now.ino)
}

/** Whether the new file must also take over the other names of the present one. */
export function isEverywhere(now: Inode | undefined, then: InodeRow): boolean {
  return now !== undefined && now.ino === then.ino && now.nlink > 1 && isRegular(now.mode)
}

/**
 * Creates an inode with the content of `then`. It has no name until it is complete, so that a crash
 * leaves nothing behind.
 */
async function makeFile(run: Run, then: InodeRow, freed: Inode | undefined): Promise<Inode> {
  const { core, moment } = run
  admitInstead(core, then.uid, then.allocated, freed)
  const hasBytes = isRegular(then.mode) || isSymlink(then.mode)
  core.actors.actAs(run.actor)
  const made = createInode(core, { ...then, parent: 0 }, core.moments.next(), hasBytes)
  if (hasBytes) {
    detach(core, made)
    await shareContent(core, then, moment, made, run.slices)
  }
  return made
}

/**
 * The directory at a path; missing directories on the way are created as of a moment, but empty.
 * Throws ENOENT when one did not exist then either, ENOTDIR.
 */
export async function restoreParents(
  core: Core,
  names: readonly string[],
  moment: Moment,
  options: RestoreOptions,
): Promise<number> {
  const run = newRun(core, { ino: ROOT_INO, moment }, options)
  core.moments.observe()
  let parent = ROOT_INO
  let path = '/'
  let former: number | undefined = ROOT_INO
  for (const name of names) {
    const above: number = parent
    path = below(path, name) as string
    const was: number | undefined = former
    former = await retryUntilLoaded(
      () => (was && entryAt(core, was, name, moment, options.passing)?.ino) || undefined,
    )
    const row = await retryUntilLoaded(() => findEntry(core, above, name))
    if (row !== undefined) parent = (await retryUntilLoaded(() => getDirectory(core, row.ino))).ino
    else {
      const ino = former ?? fail(ENOENT)
      const then = await retryUntilLoaded(() => stateOf(run, ino))
      const spot = { parent: above, name, path }
      const made = await retryUntilLoaded(() => makeDirectory(run, then, spot))
      await retryUntilLoaded(() => finish(run, made, then, true))
      parent = made.ino
    }
    await run.slices.turn()
  }
  return parent
}

/** Gives a present inode the attributes of `then`. Returns false when it had them. */
function finish(run: Run, now: Inode, then: InodeRow, isNew = false): boolean {
  const { core, moment, report } = run
  if (hasAttributes(core, now, then, moment)) {
    report.unchanged++
    return false
  }
  admitOwner(core, now, then.uid)
  core.actors.actAs(run.actor)
  prefetchAttributes(core, then, moment)
  // A new inode has no former state to keep.
  if (!isNew) observeLoss(core, now)
  withTrace(core, () => applyAttributes(core, now, then, moment, run.options.by))
  run.options.inodeChanged(now.ino)
  report.restored++
  return true
}

/**
 * Removes a name and everything below it, as rm -r does; it stays in history. Resolves when that is
 * durable.
 */
export async function removeDurably(core: Core, row: EntryRow, onlooker: Observer): Promise<void> {
  const options = { ...onlooker, removeNewer: false, heard: () => undefined }
  const run = newRun(core, { ino: row.ino, moment: core.moments.last }, options)
  const spot = await retryUntilLoaded(() => spotIn(core, row.parent, row.name))
  await removeTree(run, spot, row)
  await run.slices.settle()
}
