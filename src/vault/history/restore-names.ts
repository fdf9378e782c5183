// Adds and removes names for a restore. What a name led to is made part of history first, and each
// step makes its whole change at once.

import { fileType, isDirectory, isRegular, isSymlink } from '../../base/mode.ts'
import { type EntryRow, type InodeRow, RESTORED } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { seal } from '../content/seal.ts'
import type { Core } from '../core/core.ts'
import { assertMeeting, type MeetingCheck, meetingCheck } from '../core/cycles.ts'
import type { Inode } from '../core/inode.ts'
import { tagsOf } from '../tree/attached.ts'
import { findEntry, listEntries, putEntry } from '../tree/directory.ts'
import { isExcluded, withTrace } from '../tree/history-recording.ts'
import { addLink, getInode } from '../tree/inodes.ts'
import { dropName, giveName, namesOfInode } from '../tree/names.ts'
import { prefetchInode, prefetchLoss, prefetchName, prefetchTags } from '../tree/prefetch.ts'
import { setTags, tagsAt } from '../tree/tags.ts'
import { completeState, observeLoss, removeKept } from './before-loss.ts'
import { applyAttributes, prefetchAttributes } from './restore-attributes.ts'
import { getDirectory, type Run, type Spot, spotBelow, spotIn } from './restore-run.ts'

/** A name, its directory and what it leads to now. */
interface Held {
  readonly spot: Spot
  readonly directory: Inode
  readonly before: EntryRow | undefined
  readonly replaced: Inode | undefined
}

/**
 * Puts a file at a name and replaces what is there. `then`: the state it gets, when this is its
 * first name; with `everywhere` it also takes over the other names of the replaced file.
 */
export function nameFile(
  run: Run,
  spot: Spot,
  made: Inode,
  then: InodeRow | undefined,
  everywhere: boolean,
): void {
  const { core } = run
  core.actors.actAs(run.actor)
  const first = held(core, spot)
  const { replaced } = first
  const others = replaced !== undefined && everywhere ? otherNames(core, replaced, spot) : []
  const all = [first, ...others.map((its) => held(core, its))]
  prefetchInode(core, made)
  const tags = then === undefined ? [] : tagsFor(run, then, replaced)
  prefetchTags(core, made.ino, tags)
  if (then !== undefined) prefetchAttributes(core, then, run.moment)
  if (replaced !== undefined) completeState(core, replaced)
  if (then === undefined || core.orphans.has(made.ino)) addLink(core, made)
  if (then !== undefined) {
    applyAttributes(core, made, then, run.moment, run.options.by)
    setTags(core, made, tags)
    if (isRegular(made.mode) || isSymlink(made.mode)) seal(core, made)
  }
  for (const its of all) {
    if (its !== first) addLink(core, made)
    put(run, its, made)
  }
}

/** What a name leads to now, with everything prefetched that replacing it will read. */
function held(core: Core, spot: Spot): Held {
  const { parent, name } = spot
  const directory = getDirectory(core, parent)
  const before = findEntry(core, parent, name)
  const replaced = before === undefined ? undefined : getInode(core, before.ino)
  prefetchName(core, directory, name)
  if (replaced !== undefined) prefetchLoss(core, replaced, parent, name)
  return { spot, directory, before, replaced }
}

/** The other names of a file, besides the given one. */
export function otherNames(core: Core, inode: Inode, { parent, name }: Spot): Spot[] {
  const all = namesOfInode(core, inode)
  const others = all.filter((its) => its.parent !== parent || its.name !== name)
  return others.map((its) => spotIn(core, its.parent, its.name))
}

function put({ core, options }: Run, its: Held, made: Inode): void {
  const { directory, before, replaced } = its
  const { name, path } = its.spot
  if (before !== undefined && replaced !== undefined) observeLoss(core, replaced, before)
  const moment = core.moments.next()
  const to = { ino: made.ino, type: fileType(made.mode) }
  withTrace(core, () => {
    putEntry(core, directory, name, to, moment, RESTORED)
    giveName(core, made, directory.ino, name)
    if (replaced !== undefined)
      dropName(core, replaced, directory.ino, name, moment, options.isHeld(replaced.ino), false)
  })
  options.nameChanged(directory.ino, name, before, to)
  if (replaced !== undefined) options.inodeChanged(replaced.ino)
  options.heard(replaced === undefined ? 'created' : 'replaced', path)
}

/** Labels stay with the name; a rename adds those of the moved file. */
function tagsFor(run: Run, then: InodeRow, replaced: Inode | undefined): string[] {
  const { core, moment, options } = run
  if (replaced === undefined) return tagsAt(core, then.ino, moment)
  const tags = tagsOf(core, replaced.ino)
  return options.isRename ? [...new Set([...tags, ...tagsAt(core, then.ino, moment)])] : tags
}

/**
 * Removes an entry that did not exist then, and everything below it. What lies where no history is
 * kept stays, with the directories above it, and is reported as 'kept', since it may have existed
 * then. Returns false when something stays.
 */
export async function removeNewer(
  run: Run,
  spot: Spot,
  row: EntryRow,
  isNew = meetingCheck(row.ino),
): Promise<boolean> {
  const { core, options, report } = run
  if (isExcluded(core, row.parent, row.name)) {
    report.kept++
    options.heard('kept', spot.path)
    return false
  }
  let isEmpty = true
  for (const below of await namesIn(core, row, isNew)) {
    const its = spotBelow(spot, row.ino, below.name)
    isEmpty = (await removeNewer(run, its, below, isNew)) && isEmpty
  }
  if (isEmpty) await removeName(run, spot, row)
  return isEmpty
}

/** Removes a name and everything below it; all of it stays in history. */
export async function removeTree(
  run: Run,
  spot: Spot,
  row: EntryRow,
  isNew = meetingCheck(row.ino),
): Promise<void> {
  for (const below of await namesIn(run.core, row, isNew))
    await removeTree(run, spotBelow(spot, row.ino, below.name), below, isNew)
  await removeName(run, spot, row)
}

/**
 * The entries of an inode that is about to be removed; none if it is not a directory. Throws ELOOP
 * where a directory among them was met before.
 */
export async function namesIn(
  core: Core,
  { ino }: Pick<EntryRow, 'ino'>,
  isNew: MeetingCheck,
): Promise<readonly EntryRow[]> {
  const rows = await retryUntilLoaded(() =>
    isDirectory(getInode(core, ino).mode) ? listEntries(core, ino) : [],
  )
  // Continues after a Fault.
  let count = 0
  await retryUntilLoaded(() => {
    for (; count < rows.length; count++) {
      const { ino: its, name } = rows[count] as EntryRow
      assertMeeting(isNew, getInode(core, its), ino, name)
    }
  })
  return rows
}

async function removeName(run: Run, spot: Spot, row: EntryRow): Promise<void> {
  const { core, options } = run
  await options.writtenBack(row.ino)
  await retryUntilLoaded(() => {
    core.actors.actAs(run.actor)
    const inode = getInode(core, row.ino)
    prefetchName(core, getDirectory(core, row.parent), row.name)
    prefetchLoss(core, inode, row.parent, row.name)
    completeState(core, inode)
    removeKept(core, row, inode, options.isHeld(inode.ino))
  })
  options.nameChanged(row.parent, row.name, row, undefined)
  options.inodeChanged(row.ino)
  options.heard('removed', spot.path)
  run.report.removed++
  run.slices.changed(1)
  await run.slices.turn()
}
