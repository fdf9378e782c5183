// What an existing file or directory had besides content: past modes, owners, attributes and
// labels. Purge drops them with the states that had them; the newest version then shows the present
// ones.

import {
  type InodeRow,
  inodePast,
  inode as inodes,
  tagging,
  taggingPast,
  version,
  xattr,
  xattrPast,
} from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { ALL } from '../../store/store.ts'
import type { Core } from '../core/core.ts'
import type { Moment } from '../core/moment.ts'
import { walkRows } from '../core/rows.ts'
import {
  carriedBy,
  type Life,
  type Lifetime,
  type PruneJob,
  type State,
  upwards,
  type Version,
} from './prune-inode.ts'

/** The lifetimes of an inode's past attributes and labels, without their values. */
async function pastAttributes({ core, slices }: PruneJob, ino: number): Promise<Lifetime[]> {
  const { store } = core.overlay
  const range = { gte: [ino], lt: [ino + 1] }
  const rows: Lifetime[] = []
  for await (const row of walkRows(store, xattrPast, xattrPast.fields.slice(0, 4), range, slices))
    rows.push(row)
  for await (const row of walkRows(store, taggingPast, taggingPast.fields, range, slices))
    rows.push(row)
  return rows
}

/** Whether a life that is purged loses attributes or labels. */
export async function losesAttributes(job: PruneJob, ino: number, life: Life): Promise<boolean> {
  const wasCarried = carriedBy(job, life)
  return (await pastAttributes(job, ino)).some((row) => !wasCarried(row))
}

/**
 * A directory has a state for each change of its entries. Of an existing directory, the states that
 * reveal no more than that stay, so that its entries can be found in the past.
 */
export async function keepPlainStates(
  job: PruneJob,
  ino: number,
  states: readonly State[],
): Promise<void> {
  const { core, slices } = job
  const now = await retryUntilLoaded(() => core.overlay.get(inodes, [ino]))
  if (now === undefined) return
  const carried = await pastAttributes(job, ino)
  const bySince = new Map(states.map((state) => [state.since, state]))
  const fields = ['ino', 'since', 'until', 'mode', 'uid', 'gid'] as const
  const range = { gte: [ino], lt: [ino + 1] }
  for await (const row of walkRows(core.overlay.store, inodePast, fields, range, slices)) {
    const state = bySince.get(row.since)
    if (state === undefined || row.mode !== now.mode) continue
    if (row.uid !== now.uid || row.gid !== now.gid) continue
    const isPlain = carried.every(({ since, until }) => until <= row.since || row.until <= since)
    if (isPlain) state.why ||= 'moment'
  }
}

/** A version, and the state that will show it. */
export interface MovedVersion {
  readonly number: number
  readonly to: Pick<InodeRow, 'mode' | 'uid' | 'gid' | 'mtime' | 'mtimeNs'> & { moment: Moment }
}

/**
 * Versions whose state is dropped while a later one that stays has their content. They keep their
 * numbers, and are read as of the beginning of that later state.
 */
export async function movedVersions(
  job: PruneJob,
  ino: number,
  { present, states, versions }: Life,
  forgets: boolean,
): Promise<MovedVersion[]> {
  const { core } = job
  const moved: MovedVersion[] = []
  const stateAt = upwards(states)
  const stays = states.filter(({ why }) => why !== '')
  let at = 0
  for (const [index, { number, moment }] of versions.entries()) {
    const next = versions[index + 1]?.moment ?? Number.POSITIVE_INFINITY
    const state = stateAt(moment)
    if (state !== undefined && state.why !== '') continue
    while (at < stays.length && (stays[at] as State).since <= moment) at++
    const first = stays[at]
    const later = first !== undefined && first.since < next ? first : undefined
    const since = later?.since ?? present
    if (since === undefined || since >= next || (since <= moment && !forgets)) continue
    const row = await retryUntilLoaded(() => rowSince(core, ino, since))
    if (row?.versions !== number) continue
    const to =
      later === undefined ? await retryUntilLoaded(() => settledSince(core, ino, since)) : since
    const { mode, uid, gid, mtime, mtimeNs } = row
    if (to > moment && to <= job.now)
      moved.push({ number, to: { moment: to, mode, uid, gid, mtime, mtimeNs } })
  }
  return moved
}

function rowSince({ overlay }: Core, ino: number, since: Moment): InodeRow | undefined {
  const present = overlay.get(inodes, [ino])
  return present?.since === since ? present : overlay.get(inodePast, [ino, since])
}

/** The moment from which the present state has all of its attributes and labels. */
function settledSince({ overlay }: Core, ino: number, since: Moment): Moment {
  const range = { gte: [ino], lt: [ino + 1], limit: ALL }
  const rows = [...overlay.scan(xattr, range), ...overlay.scan(tagging, range)]
  return rows.reduce((last, row) => Math.max(last, row.since), since)
}

/** The versions of a life after they were moved. */
export function withMoved(
  versions: readonly Version[],
  moved: readonly MovedVersion[],
): readonly Version[] {
  const moments = new Map(moved.map(({ number, to }) => [number, to.moment]))
  return versions.map((its) => ({ ...its, moment: moments.get(its.number) ?? its.moment }))
}

/** Moves versions, before their states are dropped. */
export function moveVersions(core: Core, ino: number, moved: readonly MovedVersion[]): void {
  for (const { number, to } of moved) {
    const row = core.overlay.get(version, [ino, number])
    if (row === undefined) continue
    // Deleted first, so that whoever watches versions learns that the old place is gone.
    core.overlay.delete(version, [ino, number])
    core.overlay.put(version, { ...row, ...to })
  }
}
