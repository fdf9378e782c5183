// Repairs a vault until `check` finds nothing: check, apply the remedy for each finding, check
// again, until nothing is left or nothing helps. Remedies drop what cannot be read or leads
// nowhere, recount, or give nameless inodes a name in /lost+found; they never invent content. Works
// on the rows of a store that nobody else has open.

import { nowMicros } from '../../base/clock.ts'
import { clock, collections, PROVISIONAL } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { ALL, type Store } from '../../store/store.ts'
import { ClockSteps } from '../core/clock-steps.ts'
import { type Counters, readCounters } from '../core/settings.ts'
import { type CheckReport, checkStore, type Problem } from './check.ts'
import type { FindingCode } from './findings.ts'
import { everyPage } from './read-all.ts'
import { remedies } from './remedies.ts'
import { forgetPast, inosOf } from './remedies-history.ts'
import { RepairRows } from './repair-rows.ts'

/**
 * One remedy can reveal the need for another, as often as rows refer to rows; this is far beyond
 * that.
 */
const ROUNDS_MAX = 30
/**
 * After so many rounds, remedies are undoing one another: inodes with findings give up their past.
 */
const ROUNDS_GENTLE = 15

/**
 * A faulty extent also causes findings about its neighbours, which disappear when it is dropped: so
 * these codes wait until none of the listed ones is left.
 */
const first: Readonly<Partial<Record<FindingCode, readonly FindingCode[]>>> = {
  'extent-overlap': ['extent-chunk', 'extent-checksum'],
  'extent-end': ['extent-chunk', 'extent-checksum'],
  'history-extent': ['extent-chunk', 'extent-checksum', 'extent-overlap'],
  'history-end': ['extent-chunk', 'extent-checksum', 'extent-overlap'],
}

interface RepairOptions {
  /** Called with each step, in words. */
  readonly onStep: (text: string) => void
  readonly onProgress?: (done: number, total: number) => void
}

/** `found`: problems at first; `left`: the final check. */
export interface RepairReport {
  readonly found: number
  readonly steps: number
  readonly left: CheckReport
}

/**
 * Repairs a store. Rejects with StoreError when the engine refuses; what was done by then is
 * consistent, and repair can be run again.
 */
export async function repairStore(store: Store, options: RepairOptions): Promise<RepairReport> {
  const { onStep, onProgress } = options
  const check = (): Promise<CheckReport> =>
    checkStore(store, { deep: true, ...(onProgress === undefined ? {} : { onProgress }) })
  let report = await check()
  const found = report.problems.length
  let steps = 0
  const seen = new Set<string>()
  let isGentle = true
  const moment = found === 0 ? 0 : await lastMoment(store)
  for (let round = 0; report.problems.length > 0 && round < ROUNDS_MAX; round++) {
    const now = JSON.stringify(report.problems)
    // The same problems again, even with the last resort: nothing helps.
    if (seen.has(now) && !isGentle) break
    if (seen.has(now) || round >= ROUNDS_GENTLE) isGentle = false
    seen.add(now)
    const counters = await countersOf(store)
    const rows = new RepairRows(
      store,
      { ...counters, moment: Math.max(moment, counters.moment) },
      (text) => {
        steps++
        onStep(text)
      },
    )
    if (!isGentle) {
      const ofContent = report.problems.filter(({ kind }) => /history|extent/.test(kind))
      await forgetPast(rows, inosOf(ofContent))
      await rows.flush()
    }
    await apply(rows, report.problems)
    if (!rows.isChanged) continue
    await rows.close()
    report = await check()
  }
  return { found, steps, left: report }
}

/** The counters, as far as they can be read. */
async function countersOf(store: Store): Promise<Counters> {
  try {
    return await retryUntilLoaded(() => readCounters(store))
  } catch {
    return { moment: 0, nextIno: 2, inodes: 0 }
  }
}

/** The newest moment in any row; what a remedy creates is later. */
async function lastMoment(store: Store): Promise<number> {
  let last = 0
  const note = (value: unknown): void => {
    if (typeof value === 'number' && value < PROVISIONAL) last = Math.max(last, value)
  }
  for (const collection of collections) {
    const fields: readonly string[] = collection.fields
    const moments = ['since', 'until', 'moment'].filter((field) => fields.includes(field))
    if (moments.length === 0) continue
    for await (const page of everyPage(store, collection, () => undefined))
      for (const row of page)
        for (const field of moments) note((row as Record<string, unknown>)[field])
  }
  const rows = await retryUntilLoaded(() => store.scan(clock, { limit: ALL }))
  return Math.max(last, nowMicros() - new ClockSteps(rows).offset)
}

async function apply(rows: RepairRows, problems: readonly Problem[]): Promise<void> {
  const byCode = new Map<FindingCode, Problem[]>()
  for (const problem of problems) {
    const its = byCode.get(problem.code)
    if (its === undefined) byCode.set(problem.code, [problem])
    else its.push(problem)
  }
  // In the order of the table: what others are counted from comes first.
  for (const [code, remedy] of Object.entries(remedies)) {
    const its = byCode.get(code as FindingCode)
    const before = first[code as FindingCode] ?? []
    if (its === undefined || before.some((other) => byCode.has(other))) continue
    await remedy(rows, its)
    await rows.flush()
  }
}
