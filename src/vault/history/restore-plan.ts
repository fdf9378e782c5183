// A dry run of a restore: the same walk as restore.ts, but only reading.

import { ENOENT, ENOTDIR, fail } from '../../base/errno.ts'
import { isDirectory } from '../../base/mode.ts'
import type { EntryRow, InodeRow } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Core } from '../core/core.ts'
import { assertMeeting, type MeetingCheck, meetingCheck } from '../core/cycles.ts'
import type { Effect } from '../core/effect.ts'
import { type Inode, ROOT_INO } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import { type Slices, slicesOf } from '../core/time-slices.ts'
import { listEntries } from '../tree/directory.ts'
import { isExcluded } from '../tree/history-recording.ts'
import { getInode } from '../tree/inodes.ts'
import { below } from '../tree/places.ts'
import { isEverywhere, present } from './restore.ts'
import { hasAttributes } from './restore-attributes.ts'
import { hasContent } from './restore-content.ts'
import { namesIn, otherNames } from './restore-names.ts'
import { type RestoreOptions, type Spot, spotBelow } from './restore-run.ts'
import { entriesAt, entryAt, inodeAt } from './timeline.ts'

/** `parent` is undefined for a directory that would be created. */
type Planned = Omit<Spot, 'parent'> & { readonly parent: number | undefined }

interface PlanOptions
  extends Pick<RestoreOptions, 'removeNewer' | 'passing' | 'writtenBack' | 'heard'> {
  /** Awaited between two names; an error it throws ends the walk. */
  readonly between?: () => Promise<void> | undefined
}

interface Plan {
  readonly core: Core
  readonly moment: Moment
  readonly options: PlanOptions
  readonly slices: Slices
  /**
   * The present file for each past inode number, as a restore links them. A file that would be
   * created has the past number, negated.
   */
  readonly links: Map<number, number>
  readonly taken: Set<number>
  /** For each present file whose names would all be taken over, the file that takes them. */
  readonly given: Map<number, number>
  /** Names that would be replaced or removed, and so are not taken over. */
  readonly gone: Set<string>
  /** Directories whose names, and thus times, would change. */
  readonly touched: Set<number>
  /** For the directories of the past tree. */
  readonly isNew: MeetingCheck
}

/**
 * Reports to `heard` what restoreTree would report. An undefined `to.parent` means that the
 * target's directory would be created first. Throws as restoreTree does, as far as that depends on
 * the present state.
 */
export async function planRestore(
  core: Core,
  from: { readonly ino: number; readonly moment: Moment },
  to: { readonly parent: number | undefined; readonly name: string; readonly path: string },
  options: PlanOptions,
): Promise<void> {
  const plan: Plan = {
    core,
    moment: from.moment,
    options,
    slices: slicesOf(core),
    links: new Map(),
    taken: new Set(),
    given: new Map(),
    gone: new Set(),
    touched: new Set(),
    isNew: meetingCheck(from.ino),
  }
  core.moments.observe()
  if (to.name === '') await planInto(plan, await stateOf(plan, from.ino), to, to.parent)
  else await planName(plan, await stateOf(plan, from.ino), to)
}

/**
 * Reports which directories restoreParents would create; returns the inode number of the last one
 * if it exists.
 */
export async function planParents(
  core: Core,
  names: readonly string[],
  moment: Moment,
  options: PlanOptions,
): Promise<number | undefined> {
  let spot: Planned = { parent: undefined, name: '', path: '/' }
  let at: number | undefined = ROOT_INO
  let former: number | undefined = ROOT_INO
  for (const name of names) {
    spot = { parent: at, name, path: below(spot.path, name) as string }
    const was: number | undefined = former
    former = await retryUntilLoaded(
      () => (was && entryAt(core, was, name, moment, options.passing)?.ino) || undefined,
    )
    const now = await presentNow(core, spot)
    if (now !== undefined && !isDirectory(now.mode)) fail(ENOTDIR)
    at = now?.ino
    if (now !== undefined) continue
    if (former === undefined) fail(ENOENT)
    options.heard('created', spot.path)
  }
  return at
}

async function stateOf({ core, moment }: Plan, ino: number): Promise<InodeRow> {
  return await retryUntilLoaded(() => ({ ...(inodeAt(core, ino, moment) ?? fail(ENOENT)) }))
}

async function presentNow(core: Core, spot: Planned): Promise<Inode | undefined> {
  const { parent } = spot
  if (parent === undefined) return undefined
  return (await retryUntilLoaded(() => present(core, { ...spot, parent }))).now
}

async function planName(plan: Plan, then: InodeRow, spot: Planned): Promise<void> {
  const now = await presentNow(plan.core, spot)
  if (!isDirectory(then.mode)) await planFile(plan, then, spot, now)
  else if (now !== undefined && isDirectory(now.mode)) await planInto(plan, then, spot, now.ino)
  else {
    if (now !== undefined) await planRemoval(plan, spot, now)
    tell(plan, 'created', spot)
    await rest(plan)
    await planInto(plan, then, spot, undefined)
  }
  await rest(plan)
}

async function rest({ options, slices }: Plan): Promise<void> {
  await options.between?.()
  await slices.turn()
}

function tell({ options, touched, gone }: Plan, effect: Effect, spot: Planned): void {
  const { parent, path } = spot
  if (parent !== undefined && effect !== 'changed' && effect !== 'kept') {
    touched.add(parent)
    gone.add(keyOf(spot))
  }
  options.heard(effect, path)
}

function keyOf({ parent, name }: Planned): string {
  return `${parent}/${name}`
}

async function planInto(
  plan: Plan,
  then: InodeRow,
  spot: Planned,
  ino: number | undefined,
): Promise<void> {
  const { core, moment, options } = plan
  const { passing } = options
  const rows = () => entriesAt(core, then.ino, moment, undefined, undefined, passing)
  for (const { ino: its, name } of await retryUntilLoaded(rows)) {
    const row = await stateOf(plan, its)
    assertMeeting(plan.isNew, row, then.ino, name)
    const path = below(spot.path, name) as string
    await planName(plan, row, { parent: ino, name, path })
  }
  if (ino === undefined) return
  if (options.removeNewer)
    for (const row of await retryUntilLoaded(() => listEntries(core, ino))) {
      const was = await retryUntilLoaded(() => entryAt(core, then.ino, row.name, moment))
      const its = { parent: ino, name: row.name, path: below(spot.path, row.name) as string }
      if (was === undefined) await planNewer(plan, its, row)
    }
  const isSame = await retryUntilLoaded(() =>
    hasAttributes(core, getInode(core, ino), then, moment),
  )
  if (!isSame || plan.touched.has(ino)) tell(plan, 'changed', spot)
}

async function planFile(
  plan: Plan,
  then: InodeRow,
  spot: Planned,
  now: Inode | undefined,
): Promise<void> {
  const { core, links, taken, given, moment, options } = plan
  const linked = links.get(then.ino)
  const ino = now && (given.get(now.ino) ?? now.ino)
  if (ino !== undefined && ino === linked) return
  if (now !== undefined) await options.writtenBack(now.ino)
  const own = ino !== undefined && !taken.has(ino) ? now : undefined
  if (own !== undefined && linked === undefined) {
    if (await retryUntilLoaded(() => hasContent(core, own, then, moment))) {
      take(plan, then, own.ino)
      if (!(await retryUntilLoaded(() => hasAttributes(core, own, then, moment))))
        tell(plan, 'changed', spot)
      return
    }
  }
  const isDirectoryNow = now !== undefined && isDirectory(now.mode)
  if (isDirectoryNow) await planRemoval(plan, spot, now)
  tell(plan, now === undefined || isDirectoryNow ? 'created' : 'replaced', spot)
  const made = linked ?? -then.ino
  take(plan, then, made)
  if (own === undefined || !isEverywhere(own, then)) return
  given.set(own.ino, made)
  const { parent = 0 } = spot
  for (const its of await retryUntilLoaded(() => otherNames(core, own, { ...spot, parent })))
    if (!plan.gone.has(keyOf(its))) tell(plan, 'replaced', its)
}

function take({ links, taken }: Plan, then: InodeRow, ino: number): void {
  links.set(then.ino, ino)
  taken.add(ino)
}

/** What removeNewer would do; false when something would stay. */
async function planNewer(
  plan: Plan,
  spot: Spot,
  row: EntryRow,
  isNew = meetingCheck(row.ino),
): Promise<boolean> {
  const { core } = plan
  if (await retryUntilLoaded(() => isExcluded(core, row.parent, row.name))) {
    tell(plan, 'kept', spot)
    await rest(plan)
    return false
  }
  let isEmpty = true
  for (const its of await namesIn(core, row, isNew))
    isEmpty = (await planNewer(plan, spotBelow(spot, row.ino, its.name), its, isNew)) && isEmpty
  if (isEmpty) tell(plan, 'removed', spot)
  await rest(plan)
  return isEmpty
}

async function planRemoval(
  plan: Plan,
  spot: Planned,
  { ino }: Pick<EntryRow, 'ino'>,
  isNew = meetingCheck(ino),
): Promise<void> {
  for (const its of await namesIn(plan.core, { ino }, isNew)) {
    const path = below(spot.path, its.name) as string
    await planRemoval(plan, { parent: ino, name: its.name, path }, its, isNew)
  }
  tell(plan, 'removed', spot)
  await rest(plan)
}
