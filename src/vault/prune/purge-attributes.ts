// What a file or directory that is there was beside its content: modes, owners, attributes and
// labels of the past. Purge takes them with the states that had them, and the newest version is
// from then on what is there.

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

/** The rows of former attributes and labels of an inode, but what they say. */
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

/** Whether attributes or labels go with a life. */
export async function losesAttributes(job: PruneJob, ino: number, life: Life): Promise<boolean> {
  const wasCarried = carriedBy(job, life)
  return (await pastAttributes(job, ino)).some((row) => !wasCarried(row))
}

/**
 * A directory has a state for each change of what is in it. Of one that is there those stay that
 * tell no more than that: what is in it is to be found in the past.
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

/** A version, and the state that shows it from then on. */
export interface MovedVersion {
  readonly number: number
  readonly to: Pick<InodeRow, 'mode' | 'uid' | 'gid' | 'mtime' | 'mtimeNs'> & { moment: Moment }
}

/**
 * Versions of which the state goes while a later one that stays has their content. They keep their
 * numbers, and are read as of the beginning of that state.
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

/** From when on the present state has all attributes and labels that it has. */
function settledSince({ overlay }: Core, ino: number, since: Moment): Moment {
  const range = { gte: [ino], lt: [ino + 1], limit: ALL }
  const rows = [...overlay.scan(xattr, range), ...overlay.scan(tagging, range)]
  return rows.reduce((last, row) => Math.max(last, row.since), since)
}

/** The versions of a life once they have moved. */
export function withMoved(
  versions: readonly Version[],
  moved: readonly MovedVersion[],
): readonly Version[] {
  const moments = new Map(moved.map(({ number, to }) => [number, to.moment]))
  return versions.map((its) => ({ ...its, moment: moments.get(its.number) ?? its.moment }))
}

/** Moves them, before the states go. */
export function moveVersions(core: Core, ino: number, moved: readonly MovedVersion[]): void {
  for (const { number, to } of moved) {
    const row = core.overlay.get(version, [ino, number])
    if (row === undefined) continue
    // Who keeps where it was hears that it is not there any more.
    core.overlay.delete(version, [ino, number])
    core.overlay.put(version, { ...row, ...to })
  }
}
