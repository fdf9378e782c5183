// Whether a change leaves a trace: not with history=off, and not below paths that history.exclude
// matches. Consulted before a past row is put. What is removed without a trace is noted here for
// maintenance.ts, which frees it.
//
// History that was recorded before stays exact: rows that a recorded state needs become past rows
// all the same.

import { globRule } from '../../base/glob.ts'
import { isDirectory } from '../../base/mode.ts'
import { overBytes } from '../../base/path-rule.ts'
import { inodePast, setting } from '../../store/collections.ts'
import { configured, globsOf } from '../core/configuration.ts'
import type { Core } from '../core/core.ts'
import type { Inode } from '../core/inode.ts'
import type { Moment } from '../core/moment.ts'
import type { History } from '../core/recording.ts'
import { LastPlaces } from './places.ts'

/** Beyond this, unreferenced blocks are found by a walk over all of them. */
const SUSPECTS_MAX = 100_000
/** The setting by which the next opening knows that something is left to sweep. */
const UNSWEPT = 'unswept'

/** Reads the settings. Called when a vault is opened, and after `configure`. */
export function refreshHistory(core: Core): void {
  const { history } = core
  history.isOn = configured(core, 'history') === 'on'
  history.isPassingKept = configured(core, 'history.passing') === 'on'
  const globs = globsOf(configured(core, 'history.exclude'))
  history.isExcluded = globs.length === 0 ? undefined : exclusion(core, globs)
}

function exclusion(core: Core, globs: readonly string[]): History['isExcluded'] {
  const rule = overBytes(globRule(globs))
  const places = new LastPlaces(core, rule)
  return (parent, name) => {
    const above = places.directory(parent) ?? rule.top
    return rule.means(rule.enter(above, name))
  }
}

/**
 * Runs part of a step with recording on, whatever the settings say, so that what a command removes
 * or replaces can be restored.
 */
export function withTrace<T>(core: Core, work: () => T): T {
  const { history } = core
  const before = history.isKept
  history.isKept = true
  try {
    return work()
  } finally {
    history.isKept = before
  }
}

/**
 * Whether history.exclude matches a name in a directory, or a directory above it. Ignores
 * history=off and `withTrace`.
 */
export function isExcluded(core: Core, parent: number, name: string): boolean {
  return core.history.isExcluded?.(parent, name) === true
}

/**
 * Whether changes of an inode are recorded; those of a file with several names always are, unless
 * history is off.
 */
export function isRecorded(core: Core, inode: Inode): boolean {
  const { isOn, isKept, isExcluded } = core.history
  if (isKept || isExcluded === undefined) return isKept || isOn
  if (!isOn) return false
  if (inode.name === '' || (inode.nlink > 1 && !isDirectory(inode.mode))) return true
  return isRecordedName(core, inode.parent, inode.name)
}

/** Whether changes of a name in a directory are recorded. */
export function isRecordedName(core: Core, parent: number, name: string): boolean {
  const { isOn, isKept, isExcluded } = core.history
  if (isKept || isExcluded === undefined || !isOn) return isKept || isOn
  return !isExcluded(parent, name)
}

/** The moment up to which states of an inode are recorded; 0 when none is. */
export function recordedUntil(core: Core, ino: number): Moment {
  const range = { gte: [ino], lt: [ino + 1], reverse: true, limit: 1 }
  return core.overlay.scan(inodePast, range)[0]?.until ?? 0
}

/** Marks an inode that was removed without a trace: its rows are swept once it is unused. */
export function leaveNoTrace(core: Core, ino: number): void {
  core.history.traceless.add(ino)
}

/** Called when an inode is no longer in use: if it left no trace, its rows can be swept. */
export function releaseTraceless(core: Core, ino: number): void {
  const { traceless, leftovers } = core.history
  if (!traceless.delete(ino)) return
  noteUnswept(core)
  leftovers.add(ino)
}

/** Notes a block that may be unreferenced. */
export function suspectBlock(core: Core, hash: string): void {
  const { suspects } = core.history
  if (suspects.size >= SUSPECTS_MAX) return
  noteUnswept(core)
  suspects.add(hash)
}

/** Whether an earlier process left something to sweep. */
export function wasUnswept(core: Core): boolean {
  return core.overlay.get(setting, [UNSWEPT]) !== undefined
}

function noteUnswept(core: Core): void {
  const { leftovers, suspects } = core.history
  if (leftovers.size + suspects.size === 0)
    core.overlay.put(setting, { name: UNSWEPT, value: 'yes' })
}

/** Clears the setting when all is swept. */
export function noteSwept(core: Core): void {
  const { leftovers, suspects } = core.history
  if (leftovers.size + suspects.size === 0) core.overlay.delete(setting, [UNSWEPT])
}
