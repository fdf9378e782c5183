// How long a name existed: consecutive rows of one name without a gap form one lifetime, whichever
// inodes it led to. A lifetime under a second is that of a temporary name (a passing name).

import { isDirectory } from '../../base/mode.ts'
import {
  DELETED,
  type EntryPastRow,
  type EntryRow,
  entryPast,
  type Fate,
  LOST,
  RENAMED,
  snapshot,
} from '../../store/collections.ts'
import { ALL } from '../../store/store.ts'
import type { Core } from '../core/core.ts'
import type { Inode } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import { BRIEF_MICROS } from '../core/moments.ts'
import { findEntry } from '../tree/directory.ts'

/** Whether a name was deleted, rather than moved or replaced. */
export function isDeleted(fate: Fate | undefined): boolean {
  return fate === DELETED || fate === LOST
}

/** True when the row's lifetime was brief and no snapshot was taken at `moment`. */
export function isBrief(core: Core, row: EntryPastRow, moment?: Moment): boolean {
  if (row.until - row.since >= BRIEF_MICROS || row.fate === LOST) return false
  return !livedOn(core, row) && (moment === undefined || !isSnapshot(core, moment))
}

/** Whether the lifetime lasted a second, or still goes on. */
function livedOn(core: Core, row: EntryPastRow): boolean {
  const { parent, name } = row
  let { since, until } = row
  for (;;) {
    const before = pastBefore(core, parent, name, since)
    if (before?.until !== since) break
    since = before.since
    if (until - since >= BRIEF_MICROS) return true
  }
  for (;;) {
    const after = core.overlay.get(entryPast, [parent, name, until])
    if (after === undefined) break
    until = after.until
    if (until - since >= BRIEF_MICROS) return true
  }
  return findEntry(core, parent, name)?.since === until
}

/**
 * True when deleting a name would lose a file that existed before under a name that was not
 * temporary (mv a b && rm b). A file whose former name is in use again was set aside by an editor,
 * and has its versions there. Called before the name is removed; for names older than a second the
 * answer is arbitrary.
 */
export function wouldBeLost(core: Core, row: EntryRow, { mode, movedAt }: Inode): boolean {
  const { origin, fromParent, fromName, since } = row
  if (origin !== RENAMED || core.moments.last - since >= BRIEF_MICROS) return false
  if (!isDirectory(mode) && findEntry(core, fromParent, fromName) !== undefined) return false
  return movedAt === since || cameFromLasting(core, row)
}

/** True when a row that ends at a moment lasted long enough by itself, whatever preceded it. */
export function isLasting({ since }: EntryRow, moment: Moment): boolean {
  return moment - since >= BRIEF_MICROS
}

/** Follows renames backwards; there may be any number of them within a second. */
function cameFromLasting(core: Core, row: EntryRow): boolean {
  for (let at = row; ; ) {
    const source = pastBefore(core, at.fromParent, at.fromName, at.since)
    if (source === undefined || source.until !== at.since || source.ino !== at.ino) return false
    if (!isBrief(core, source)) return true
    if (source.origin !== RENAMED) return false
    at = source
  }
}

/** The last past row of a name that began before a moment. */
export function pastBefore(
  core: Core,
  parent: number,
  name: string,
  moment: Moment,
): EntryPastRow | undefined {
  return core.overlay.scan(entryPast, {
    gte: [parent, name],
    lt: [parent, name, moment],
    reverse: true,
    limit: 1,
  })[0]
}

/** The moments of all snapshots; undefined: not read yet. */
const snapshots = new WeakMap<Core, { moments: ReadonlySet<Moment> | undefined }>()

function isSnapshot(core: Core, moment: Moment): boolean {
  const known = snapshots.get(core) ?? followSnapshots(core)
  const read = (): Moment[] => core.overlay.scan(snapshot, { limit: ALL }).map((row) => row.moment)
  known.moments ??= new Set(read())
  return known.moments.has(moment)
}

function followSnapshots(core: Core): { moments: ReadonlySet<Moment> | undefined } {
  const known = { moments: undefined }
  snapshots.set(core, known)
  core.overlay.watch(snapshot, () => {
    known.moments = undefined
  })
  return known
}
