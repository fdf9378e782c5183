// Bringing a former state back as a new one: a file or a whole directory as of a moment, put at a name of the present. Content
// is shared with the past, not copied; what is replaced or removed stays in history. What is the same already is left alone.
//
// A file that differs is put in the place of the present one as a new inode, as editors save: whoever has the old one open
// goes on with that, and everybody else sees the whole new one or the whole old one.

import { ENOENT, ENOTDIR, fail } from '../base/errno.ts'
import { fileType, isDirectory, isRegular, isSymlink } from '../base/mode.ts'
import { DELETED, type EntryRow, type InodeRow, RESTORED } from '../store/collections.ts'
import { answered } from '../store/retry.ts'
import type { Actor } from './actors.ts'
import type { Core } from './core.ts'
import {
  findEntry,
  isWorthKeeping,
  listEntries,
  putEntry,
  removeEntry,
  startDirectory,
} from './directory.ts'
import type { Inode } from './inode.ts'
import { addLink, createInode, detach, findInode, getInode } from './inodes.ts'
import type { Moment } from './moments.ts'
import { dropName, giveName } from './names.ts'
import { readyInode, readyLoss, readyName, readyTags } from './ready.ts'
import { applyAttributes, hasAttributes, readyAttributes } from './restore-attributes.ts'
import { hasContent, replaceContent, shareContent } from './restore-content.ts'
import { reviveInode } from './revive.ts'
import { ROW_BYTES } from './room.ts'
import { type Slices, slicesOf } from './slices.ts'
import { setTags, tagsAt, tagsOf } from './tags.ts'
import { entriesAt, entryAt, inodeAt } from './timeline.ts'
import { ROOT_INO } from './vault.ts'
import { seal } from './versions.ts'

export interface RestoreOptions {
  /** Also remove what a directory did not hold then. */
  readonly removeNewer: boolean
  /** Also bring back names that lived for less than a second: what is wanted is one of them. */
  readonly passing?: boolean
  /** True while somebody may use the inode although it has no name. */
  isHeld(ino: number): boolean
  /** Hears of each name that now leads to something else. */
  nameChanged(parent: number, name: string): void
  /** Hears of each inode that changed and kept its name. */
  inodeChanged(ino: number): void
}

/** How many names were brought back, were the same already, and were removed. */
export interface RestoreReport {
  restored: number
  unchanged: number
  removed: number
}

interface Run {
  readonly core: Core
  /** Who brings it back: others act in between. */
  readonly actor: Actor | null
  readonly moment: Moment
  readonly options: RestoreOptions
  readonly slices: Slices
  readonly report: RestoreReport
  /**
   * Files of now by their number of then, for those with several names. Their link count does not tell: a name counts at
   * once, the row that counts it when the file is sealed.
   */
  readonly links: Map<number, number>
}

const PAGE_NAMES = 1000
/** Rows of extents that share blocks take about this part of the content. */
const EXTENT_SHARE = 512

/**
 * Puts what inode `ino` was at `moment` at `name` in directory `parent`; the name '' stands for the directory itself. Lets other
 * work go on meanwhile, so that a directory is brought back name by name. Throws ENOENT (it was not there then, or the directory is
 * gone), ENOTDIR, EIO (damaged), ENOSPC.
 */
export async function restoreTree(
  core: Core,
  from: { readonly ino: number; readonly moment: Moment },
  to: { readonly parent: number; readonly name: string },
  options: RestoreOptions,
): Promise<RestoreReport> {
  const report: RestoreReport = { restored: 0, unchanged: 0, removed: 0 }
  const run = newRun(core, from.moment, options, report)
  // The state that is read is history from here on: what changes now must not overwrite it.
  core.moments.observe()
  if (to.name === '')
    await restoreInto(run, await answered(() => stateOf(run, from.ino)), to.parent)
  else await restoreName(run, from.ino, to.parent, to.name)
  await run.slices.settle()
  return report
}

function newRun(core: Core, moment: Moment, options: RestoreOptions, report: RestoreReport): Run {
  const { actor } = core.actors
  return { core, actor, moment, options, slices: slicesOf(core), report, links: new Map() }
}

/** A copy, because the row of what has not changed since is that of the live inode. */
function stateOf(run: Run, ino: number): InodeRow {
  return { ...(inodeAt(run.core, ino, run.moment) ?? fail(ENOENT)) }
}

async function restoreName(run: Run, ino: number, parent: number, name: string): Promise<void> {
  const then = await answered(() => stateOf(run, ino))
  await answered(() => run.core.room.grow(ROW_BYTES + Math.ceil(then.size / EXTENT_SHARE)))
  if (isDirectory(then.mode)) await restoreDirectory(run, then, parent, name)
  else await restoreFile(run, then, parent, name)
  await run.slices.turn()
}

async function restoreDirectory(
  run: Run,
  then: InodeRow,
  parent: number,
  name: string,
): Promise<void> {
  const { row, now } = await answered(() => present(run, parent, name))
  if (now !== undefined && isDirectory(now.mode)) return await restoreInto(run, then, now.ino)
  if (row !== undefined) await removeName(run, parent, row)
  const made = await answered(() => makeDirectory(run, then, parent, name))
  await restoreInto(run, then, made.ino)
}

/** What a name leads to now. */
function present(
  { core }: Run,
  parent: number,
  name: string,
): { row: EntryRow | undefined; now: Inode | undefined } {
  const row = findEntry(core, parent, name)
  return { row, now: row === undefined ? undefined : findInode(core, row.ino) }
}

function makeDirectory(run: Run, then: InodeRow, parent: number, name: string): Inode {
  const { core } = run
  core.actors.actAs(run.actor)
  const directory = getDirectory(core, parent)
  const tags = tagsAt(core, then.ino, run.moment)
  readyName(core, directory, name)
  readyTags(core, core.nextIno, tags)
  // Under its old number a directory has its history again, and so have the names in it.
  const made =
    reviveInode(core, then.ino, core.moments.next()) ??
    createInode(core, { ...then, parent }, core.moments.next(), false)
  made.nlink = 2
  startDirectory(core, made.ino)
  putEntry(core, directory, name, named(made), core.moments.next(), RESTORED)
  giveName(core, made, parent, name)
  directory.nlink++
  if (made.ino !== then.ino) setTags(core, made, tags)
  run.options.nameChanged(parent, name)
  return made
}

/** Makes the directory `ino` of now what `then` was. */
async function restoreInto(run: Run, then: InodeRow, ino: number): Promise<void> {
  const { core, moment, options } = run
  for (let after: string | undefined; ; ) {
    const from = after
    const rows = await answered(() =>
      entriesAt(core, then.ino, moment, from, PAGE_NAMES, options.passing),
    )
    for (const row of rows) await restoreName(run, row.ino, ino, row.name)
    if (rows.length < PAGE_NAMES) break
    after = rows[rows.length - 1]?.name
  }
  if (options.removeNewer)
    for (const row of await answered(() => listEntries(core, ino))) {
      const was = await answered(() => entryAt(core, then.ino, row.name, moment))
      if (was === undefined) await removeName(run, ino, row)
    }
  // Last, because filling a directory moves its times.
  await answered(() => finish(run, getInode(core, ino), then))
}

async function restoreFile(run: Run, then: InodeRow, parent: number, name: string): Promise<void> {
  const { core, moment } = run
  const { row, now } = await answered(() => present(run, parent, name))
  const linked = run.links.get(then.ino)
  if (now !== undefined && now.ino === linked) return
  if (now !== undefined && linked === undefined) {
    const same = await answered(() => hasContent(core, now, then, moment))
    if (same || (now.ino === then.ino && now.nlink > 1 && isRegular(now.mode))) {
      run.links.set(then.ino, now.ino)
      if (!same) await rewrite(run, now, then)
      return await answered(() => finish(run, now, then))
    }
  }
  if (row !== undefined && now !== undefined && isDirectory(now.mode))
    await removeName(run, parent, row)
  const made =
    linked === undefined ? await makeFile(run, then) : await answered(() => getInode(core, linked))
  const first = linked === undefined ? then : undefined
  await answered(() => nameFile(run, parent, name, made, first))
  run.links.set(then.ino, made.ino)
  run.slices.changed(1)
  run.report.restored++
}

/** A file with several names stays what all of them lead to. */
async function rewrite(run: Run, now: Inode, then: InodeRow): Promise<void> {
  const { core, actor } = run
  await answered(() => {
    core.actors.actAs(actor)
    replaceContent(core, then, run.moment, now)
  })
  await answered(() => {
    core.actors.actAs(actor)
    seal(core, now)
  })
  run.options.inodeChanged(now.ino)
}

/** An inode with the content of then; what can be half done has no name yet, so that a crash leaves nothing of it. */
async function makeFile(run: Run, then: InodeRow): Promise<Inode> {
  const { core, moment } = run
  const hasBytes = isRegular(then.mode) || isSymlink(then.mode)
  core.actors.actAs(run.actor)
  const made = createInode(core, { ...then, parent: 0 }, core.moments.next(), hasBytes)
  if (hasBytes) {
    detach(core, made)
    await shareContent(core, then, moment, made, run.slices)
  }
  return made
}

/** Puts a file at a name, in place of what is there; `then`: what it is to be, when this is its first name. */
function nameFile(
  run: Run,
  parent: number,
  name: string,
  made: Inode,
  then: InodeRow | undefined,
): void {
  const { core, options } = run
  core.actors.actAs(run.actor)
  const directory = getDirectory(core, parent)
  const before = findEntry(core, parent, name)
  const replaced = before === undefined ? undefined : findInode(core, before.ino)
  readyName(core, directory, name)
  readyInode(core, made)
  if (replaced !== undefined) readyLoss(core, replaced, parent, name)
  const tags = then === undefined ? [] : tagsFor(run, then, replaced)
  readyTags(core, made.ino, tags)
  if (then !== undefined) readyAttributes(core, then, run.moment)
  if (then === undefined || core.orphans.has(made.ino)) addLink(core, made)
  if (then !== undefined) {
    applyAttributes(core, made, then, run.moment)
    setTags(core, made, tags)
    if (isRegular(made.mode) || isSymlink(made.mode)) seal(core, made)
  }
  const moment = core.moments.next()
  putEntry(core, directory, name, named(made), moment, RESTORED)
  giveName(core, made, parent, name)
  if (replaced !== undefined)
    dropName(core, replaced, parent, name, moment, options.isHeld(replaced.ino), false)
  options.nameChanged(parent, name)
}

/** Labels stay with the name. */
function tagsFor({ core, moment }: Run, then: InodeRow, replaced: Inode | undefined): string[] {
  return replaced === undefined ? tagsAt(core, then.ino, moment) : tagsOf(core, replaced.ino)
}

/**
 * The directory of a path, where what is missing is made as it was at a moment, without what it held. Throws ENOENT when
 * it was not there then either, ENOTDIR.
 */
export async function restoreParents(
  core: Core,
  names: readonly string[],
  moment: Moment,
  options: RestoreOptions,
): Promise<number> {
  const report: RestoreReport = { restored: 0, unchanged: 0, removed: 0 }
  const run = newRun(core, moment, options, report)
  core.moments.observe()
  let parent = ROOT_INO
  let former: number | undefined = ROOT_INO
  for (const name of names) {
    const above: number = parent
    const was: number | undefined = former
    former = await answered(
      () => (was && entryAt(core, was, name, moment, options.passing)?.ino) || undefined,
    )
    const row = await answered(() => findEntry(core, above, name))
    if (row !== undefined) parent = (await answered(() => getDirectory(core, row.ino))).ino
    else {
      const ino = former ?? fail(ENOENT)
      const then = await answered(() => stateOf(run, ino))
      const made = await answered(() => makeDirectory(run, then, above, name))
      await answered(() => finish(run, made, then))
      parent = made.ino
    }
  }
  return parent
}

/** Gives an inode of now the attributes of then, if they differ. */
function finish(run: Run, now: Inode, then: InodeRow): void {
  const { core, moment, report } = run
  if (hasAttributes(core, now, then, moment)) {
    report.unchanged++
    return
  }
  core.actors.actAs(run.actor)
  applyAttributes(core, now, then, moment)
  run.options.inodeChanged(now.ino)
  report.restored++
}

/** Takes a name away, and all below it; history keeps them. */
async function removeName(run: Run, parent: number, row: EntryRow): Promise<void> {
  const { core, options } = run
  const wasDirectory = isDirectory((await answered(() => getInode(core, row.ino))).mode)
  if (wasDirectory)
    for (const below of await answered(() => listEntries(core, row.ino)))
      await removeName(run, row.ino, below)
  await answered(() => {
    const directory = getDirectory(core, parent)
    const inode = getInode(core, row.ino)
    readyName(core, directory, row.name)
    readyLoss(core, inode, parent, row.name)
    core.actors.actAs(run.actor)
    const moment = core.moments.next()
    const traceless = removeEntry(
      core,
      directory,
      row,
      moment,
      DELETED,
      isWorthKeeping(core, inode),
    )
    if (wasDirectory) directory.nlink--
    dropName(core, inode, parent, row.name, moment, options.isHeld(inode.ino), traceless)
  })
  options.nameChanged(parent, row.name)
  run.report.removed++
  run.slices.changed(1)
  await run.slices.turn()
}

function getDirectory(core: Core, ino: number): Inode {
  const inode = getInode(core, ino)
  if (!isDirectory(inode.mode)) fail(ENOTDIR)
  if (inode.nlink === 0) fail(ENOENT)
  return inode
}

function named(inode: Inode): { ino: number; type: number } {
  return { ino: inode.ino, type: fileType(inode.mode) }
}
