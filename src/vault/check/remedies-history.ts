// The remedies for findings about the past: the states, versions and content of each inode must
// agree at every moment.

import { isDirectory } from '../../base/mode.ts'
import {
  type ExtentPastRow,
  extent,
  extentPast,
  type InodePastRow,
  type InodeRow,
  inodePast,
  inode as inodes,
  PROVISIONAL,
  taggingPast,
  unsealed,
  version,
} from '../../store/collections.ts'
import type { Problem } from './check.ts'
import type { RepairRows } from './repair-rows.ts'

/** The inodes that findings are about. */
export function inosOf(problems: readonly Problem[]): Set<number> {
  return new Set(problems.flatMap(({ ino }) => (ino === undefined ? [] : [ino])))
}

async function lastState(rows: RepairRows, ino: number): Promise<InodePastRow | undefined> {
  return (await rows.below<InodePastRow>(inodePast, ino)).at(-1)
}

/** Gives a version the size of its state; drops a version without a state. */
export async function mendVersions(rows: RepairRows, problems: readonly Problem[]): Promise<void> {
  for (const { at, ino, message } of problems) {
    const row = at === undefined ? undefined : await rows.get(version, at.key)
    if (row === undefined || ino === undefined) continue
    const present = await rows.get(inodes, [ino])
    const states: InodePastRow[] = await rows.below<InodePastRow>(inodePast, ino)
    if (present !== undefined) states.push({ ...present, until: PROVISIONAL })
    const its = states.find(({ since, until }) => since <= row.moment && row.moment < until)
    const isIts = its?.versions === row.number && its.size !== row.size
    if (isIts) rows.put(version, { ...row, size: its.size })
    else rows.delete(version, [ino, row.number])
    rows.step(`${isIts ? 'set the size of a version' : 'dropped a version'}: ${message}`)
  }
}

/** Ends the last state of a deleted inode now. */
export async function endStates(rows: RepairRows, problems: readonly Problem[]): Promise<void> {
  for (const ino of inosOf(problems)) {
    const last = await lastState(rows, ino)
    if (last === undefined || last.until !== PROVISIONAL) continue
    const until = rows.moment()
    rows.put(inodePast, { ...last, until })
    for (const part of await rows.below(extentPast, ino))
      if (part.until === PROVISIONAL) rows.put(extentPast, { ...part, until })
    rows.step(`inode ${ino}: its last state ends now, because there is no present one`)
  }
}

/** Completes a change that was in progress, as a state of its own. */
export async function seal(rows: RepairRows, problems: readonly Problem[]): Promise<void> {
  for (const ino of inosOf(problems)) {
    const row = await rows.get(inodes, [ino])
    if (row === undefined || row.since !== PROVISIONAL) continue
    const since = rows.moment()
    rows.put(inodes, { ...row, since })
    for (const part of await rows.below(extent, ino))
      if (part.since === PROVISIONAL) rows.put(extent, { ...part, since })
    for (const part of await rows.below(extentPast, ino))
      if (part.until === PROVISIONAL) rows.put(extentPast, { ...part, until: since })
    rows.delete(unsealed, [ino])
    rows.step(`inode ${ino}: what was being changed is complete now`)
  }
}

/** Ends past states where the present one begins. */
export async function endBefore(rows: RepairRows, problems: readonly Problem[]): Promise<void> {
  for (const ino of inosOf(problems)) {
    const row = await rows.get(inodes, [ino])
    if (row === undefined) continue
    for (const state of await rows.below<InodePastRow>(inodePast, ino)) {
      if (state.until <= row.since) continue
      if (state.since >= row.since) rows.delete(inodePast, [ino, state.since])
      else rows.put(inodePast, { ...state, until: row.since })
    }
    rows.step(`inode ${ino}: its past ends where its present begins`)
  }
}

/** Ends past content where the present begins; otherwise it would count in both. */
function endParts(rows: RepairRows, past: ExtentPastRow[], until: number): void {
  for (const part of past.splice(0)) {
    if (part.until <= until) past.push(part)
    else {
      rows.delete(extentPast, [part.ino, part.offset, part.since])
      if (part.since >= until) continue
      past.push({ ...part, until })
      rows.put(extentPast, { ...part, until })
    }
  }
}

/** Drops past content of directories, which have none. */
function dropFromDirectories(
  rows: RepairRows,
  past: ExtentPastRow[],
  states: readonly InodePastRow[],
): void {
  for (const part of past.splice(0)) {
    const its = states.find(({ since, until }) => since <= part.since && part.since < until)
    if (its === undefined || !isDirectory(its.mode)) past.push(part)
    else rows.delete(extentPast, [part.ino, part.offset, part.since])
  }
}

/** Recounts from past content what each state covers. */
export async function recover(rows: RepairRows, problems: readonly Problem[]): Promise<void> {
  for (const ino of inosOf(problems)) {
    const row = await rows.get(inodes, [ino])
    const present = (await rows.below(extent, ino)).map((part) => ({ ...part, until: PROVISIONAL }))
    const past = await rows.below<ExtentPastRow>(extentPast, ino)
    const states = await rows.below<InodePastRow>(inodePast, ino)
    const known = past.length
    if (row !== undefined && row.since !== PROVISIONAL) endParts(rows, past, row.since)
    dropFromDirectories(rows, past, states)
    const dropped = known - past.length
    const parts = [...present, ...past]
    const mended = <R extends InodeRow>(state: R): R => {
      const until = 'until' in state ? (state.until as number) : PROVISIONAL
      const sealed = parts.filter((part) => part.since !== PROVISIONAL)
      const first = sealed.filter((part) => part.since <= state.since && state.since < part.until)
      const ever = sealed.filter((part) => part.since < until && state.since < part.until)
      return {
        ...state,
        allocated: first.reduce((sum, { length }) => sum + length, 0),
        size: ever.reduce((size, part) => Math.max(size, part.offset + part.length), state.size),
      }
    }
    for (const state of states) if (!isDirectory(state.mode)) rows.put(inodePast, mended(state))
    if (row !== undefined && row.since !== PROVISIONAL && !isDirectory(row.mode)) {
      // Present content belongs to the present state, whatever beginning it claims.
      for (const part of present) {
        if (part.since === PROVISIONAL || part.since <= row.since) continue
        part.since = row.since
        const { until: _, ...its } = part
        rows.put(extent, its)
      }
      rows.put(inodes, mended(row))
    }
    const but = dropped === 0 ? '' : `; dropped ${dropped} pieces of content that are of none`
    rows.step(`inode ${ino}: counted anew what its states cover${but}`)
  }
}

/**
 * The last resort, for inodes whose rows no remedy can make consistent: drops their past, and the
 * present begins anew with the content it has.
 */
export async function forgetPast(rows: RepairRows, inos: ReadonlySet<number>): Promise<void> {
  for (const ino of inos) {
    for (const { since } of await rows.below(inodePast, ino)) rows.delete(inodePast, [ino, since])
    for (const { offset, since } of await rows.below(extentPast, ino))
      rows.delete(extentPast, [ino, offset, since])
    for (const { number } of await rows.below(version, ino)) rows.delete(version, [ino, number])
    for (const { tag, since } of await rows.below(taggingPast, ino))
      rows.delete(taggingPast, [ino, tag, since])
    rows.delete(unsealed, [ino])
    const row = await rows.get(inodes, [ino])
    const since = rows.moment()
    if (row !== undefined) rows.put(inodes, { ...row, since, versions: 0 })
    for (const part of await rows.below(extent, ino))
      if (row === undefined) rows.delete(extent, [ino, part.offset])
      else rows.put(extent, { ...part, since })
    rows.step(`inode ${ino}: dropped its past, whose rows do not agree`)
  }
}
