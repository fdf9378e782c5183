// Finds the state of a path that a caller asks for: a version by number, a moment, a snapshot, or
// the newest complete one.

import type { EntryPastRow, InodeRow } from '../../store/collections.ts'
import type { Core } from '../../vault/core/core.ts'
import type { Moment } from '../../vault/core/moment.ts'
import { momentMeant, timeText } from '../../vault/core/when.ts'
import { findDeleted, lastDeleted } from '../../vault/history/deleted.ts'
import { findPath, findPathAt, spotsOf } from '../../vault/history/paths.ts'
import { findSnapshot } from '../../vault/history/snapshots.ts'
import { birthOf, inodeAt } from '../../vault/history/timeline.ts'
import { versionsOfPath } from '../../vault/history/version-names.ts'
import type { NameVersion } from '../../vault/history/versions.ts'
import { toText } from '../wire/byte-strings.ts'
import { ControlError } from '../wire/errors.ts'
import type { Wanted } from './method-types.ts'
import { countOf, objectOf, stringOf, whenOf } from './parameters.ts'

/** An existing state. `row` is a copy; `version` is set if it was requested by number. */
export interface FoundState {
  readonly ino: number
  readonly moment: Moment
  readonly row: InodeRow
  readonly version: number | undefined
}

export type Versions = () => readonly NameVersion[]

interface LastDeletion {
  readonly row: EntryPastRow
  readonly isPassing: boolean
}

/** The state requested by the parameter `name` (an object). */
export function wantedOf<K extends string>(
  parameters: { readonly [P in K]?: unknown },
  name: K,
): Wanted {
  const given = objectOf(parameters, name, 'an object that says which state')
  if (given.version !== undefined) return { version: countOf(given, 'version') }
  if (given.when !== undefined) return { when: whenOf(given, 'when') }
  return given.snapshot === undefined ? {} : { snapshot: stringOf(given, 'snapshot') }
}

/** The versions of a path, computed when first needed; valid within one step. */
export function versionsOnce(core: Core, path: string): Versions {
  let found: readonly NameVersion[] | undefined
  return () => {
    found ??= versionsOfPath(core, path)
    return found
  }
}

/**
 * Finds a state of a path. Throws ControlError 'absent', saying what exists instead. `versions` are
 * those of the path, for callers that need more than one state.
 */
export function findState(
  core: Core,
  path: string,
  wanted: Wanted,
  versions = versionsOnce(core, path),
): FoundState {
  if (wanted.version !== undefined) return versionState(core, path, wanted.version, versions())
  const moment = momentOf(core, wanted)
  const row = findPathAt(core, path, moment) ?? beforeMove(core, path, moment)
  if (row === undefined) throw absent(core, path, wanted)
  return { ino: row.ino, moment, row: { ...row }, version: undefined }
}

/**
 * The requested moment. Throws ControlError 'absent' for the future, a time before the vault, an
 * unknown snapshot.
 */
export function momentOf(core: Core, { when, snapshot }: Wanted): Moment {
  if (snapshot !== undefined) {
    const row = findSnapshot(core, snapshot)
    if (row === undefined) throw new ControlError('absent', `there is no snapshot '${snapshot}'`)
    return row.moment
  }
  const { moments } = core
  if (when === undefined) return moments.last
  const moment = momentMeant(moments, when)
  if (moment === undefined)
    throw new ControlError('absent', 'the clock showed that time less often')
  const birth = birthOf(core)
  if (moment < birth) {
    const first = timeText(moments.wallOf(birth))
    throw new ControlError('absent', `nothing is known of that time: the past begins at ${first}`)
  }
  if (moment > moments.now()) {
    throw new ControlError('absent', `${timeText(moments.wallOf(moment))} is in the future`)
  }
  return moment
}

/**
 * The last deletion of a path: in its present directory, else in the last directory of that path
 * that lost such a file. If no deletion is listed, one of a name that existed for less than a
 * second.
 */
export function lastDeletion(core: Core, path: string): LastDeletion | undefined {
  let passed: EntryPastRow | undefined
  for (const { parent, name } of spotsOf(core, path)) {
    const deleted = findDeleted(core, parent, name)
    if (deleted !== undefined) return { row: deleted.row, isPassing: false }
    passed ??= lastDeleted(core, parent, name)
  }
  return passed && { row: passed, isPassing: true }
}

function versionState(
  core: Core,
  path: string,
  number: number,
  versions: readonly NameVersion[],
): FoundState {
  const found = versions.find((its) => its.number === number)
  const row = found === undefined ? undefined : inodeAt(core, found.ino, found.moment)
  if (found !== undefined && row !== undefined) {
    return { ino: found.ino, moment: found.moment, row: { ...row }, version: number }
  }
  const [first] = versions
  const last = versions[versions.length - 1]
  const instead =
    first === undefined || last === undefined
      ? 'it has none'
      : `it has ${first.number === last.number ? '' : `${first.number} to `}${last.number}`
  throw new ControlError('absent', `${toText(path)} has no version ${number}; ${instead}`)
}

/**
 * A file that got its present name by a later move existed at that moment under its earlier name.
 */
function beforeMove(core: Core, path: string, moment: Moment): InodeRow | undefined {
  const now = findPath(core, path)
  return now === undefined ? undefined : inodeAt(core, now.ino, moment)
}

function absent(core: Core, path: string, wanted: Wanted): ControlError {
  const shown = toText(path)
  if (wanted.when !== undefined) {
    const at = timeText(core.moments.wallOf(momentOf(core, wanted)))
    return new ControlError('absent', `${shown} was not there at ${at}`, shown)
  }
  if (wanted.snapshot !== undefined) {
    return new ControlError('absent', `${shown} is not in snapshot '${wanted.snapshot}'`, shown)
  }
  const deleted = lastDeletion(core, path)
  return new ControlError(
    'absent',
    deleted === undefined
      ? `there is no ${shown}`
      : `${shown} was deleted at ${timeText(core.moments.wallOf(deleted.row.until))}; avfs undelete brings it back`,
    shown,
  )
}
