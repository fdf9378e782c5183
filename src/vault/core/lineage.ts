// The ancestry of a vault, so that a backup is replaced only by a vault that holds all of it. Each
// opening that changes a vault begins a generation with a random id: two copies that diverge differ
// from there on, whether they were made by restore, by cp or by a file system's snapshot. Rows of
// the setting collection:
//
//   commits               the number of commits so far, in all generations
//   generation.00000001   "AFTER ID": its states are those with more commits than AFTER, up to the
//                         AFTER of the next generation

import { randomBytes } from 'node:crypto'
import { type Key, type SettingRow, setting } from '../../store/collections.ts'
import type { Overlay } from '../../store/overlay.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { ALL, type Store, StoreError } from '../../store/store.ts'
import { readCounters, readSetting } from './settings.ts'

/**
 * A state of a vault: the generation that made it (0 and '' before the first), and how many commits
 * and which moment it had reached.
 */
export interface LineageState {
  readonly number: number
  readonly id: string
  readonly commits: number
  readonly moment: number
}

const COMMITS = 'commits'
const PREFIX = 'generation.'
const AFTER_ALL = 'generation/'
const DIGITS = 8
const ID_BYTES = 9
/**
 * Older ones are forgotten: a backup that was not updated since then no longer counts as this
 * vault's.
 */
const GENERATIONS_MAX = 10_000

/** True for a setting about the history of the vault file itself, not about its content. */
export function isOfLineage(name: string): boolean {
  return name === COMMITS || name.startsWith(PREFIX)
}

/** The present state of a vault. */
export function readLineage(store: Store): LineageState {
  const [row] = generations(store, 1)
  const { moment } = readCounters(store)
  const commits = Number(readSetting(store, COMMITS) ?? 0)
  if (row === undefined) return { number: 0, id: '', commits, moment }
  return {
    number: Number(row.name.slice(PREFIX.length)),
    id: parsed(row.value).id,
    commits,
    moment,
  }
}

/** Checks a LineageState that was read from outside. Throws StoreError 'corrupt'. */
export function checkLineage(value: unknown): LineageState {
  const { number, id, commits, moment } = (value ?? {}) as Partial<LineageState>
  const isSound =
    Number.isSafeInteger(number) && typeof id === 'string' && Number.isSafeInteger(commits)
  if (!isSound || !Number.isSafeInteger(moment))
    throw new StoreError('corrupt', 'this says nothing of where a copy comes from')
  return { number, id, commits, moment } as LineageState
}

/**
 * Whether a vault descends from that state: then it holds all that the state held, except what was
 * pruned or purged since.
 */
export function comesFrom(store: Store, state: LineageState): boolean {
  const own = readLineage(store)
  if (state.number > own.number) return false
  if (state.number === own.number)
    return state.id === own.id && state.commits <= own.commits && isNoLater(state, own)
  if (state.number > 0 && generation(store, state.number)?.id !== state.id) return false
  const next = generation(store, state.number + 1)
  return next !== undefined && state.commits <= next.after
}

/** Within a generation the commit count says it all; before the first one only moments can tell. */
function isNoLater(state: LineageState, own: LineageState): boolean {
  return state.number > 0 || state.moment <= own.moment
}

/** The generation of a vault that is open. */
export class Lineage {
  readonly #before: LineageState
  #commits: number

  constructor(store: Store) {
    this.#before = readLineage(store)
    this.#commits = this.#before.commits
  }

  /** Puts the rows of a commit; the first one begins the generation. */
  note(overlay: Overlay): void {
    const { number, commits } = this.#before
    if (this.#commits === commits) {
      overlay.put(setting, rowOf(number + 1, commits))
      const oldest = number + 1 - GENERATIONS_MAX
      if (oldest > 0) overlay.delete(setting, [nameOf(oldest)])
    }
    this.#commits++
    overlay.put(setting, commitsRow(this.#commits))
  }
}

/** Begins a generation, for offline work on the rows of a vault. */
export async function continueLineage(store: Store): Promise<void> {
  const { number, commits } = await retryUntilLoaded(() => readLineage(store))
  const puts = [rowOf(number + 1, commits), commitsRow(commits + 1)]
  await store.commit([{ collection: setting as never, puts, deletes: [] }])
}

/**
 * Begins a generation that holds less than those before it, or of whose ancestry nothing is known:
 * it must not replace any backup of them.
 */
export async function breakLineage(store: Store): Promise<void> {
  const { number, commits } = await retryUntilLoaded(() => readLineage(store))
  const former = await retryUntilLoaded(() => generations(store, ALL))
  const deletes = former.map(({ name }): Key => [name])
  const puts = [rowOf(number + 1, -1), commitsRow(commits + 1)]
  await store.commit([{ collection: setting as never, puts, deletes }])
}

function commitsRow(commits: number): SettingRow {
  return { name: COMMITS, value: String(commits) }
}

function rowOf(number: number, after: number): SettingRow {
  const id = randomBytes(ID_BYTES).toString('base64url')
  return { name: nameOf(number), value: `${after} ${id}` }
}

function nameOf(number: number): string {
  return PREFIX + String(number).padStart(DIGITS, '0')
}

/** Newest first. */
function generations(store: Store, limit: number): SettingRow[] {
  return store.scan(setting, { gte: [PREFIX], lt: [AFTER_ALL], reverse: true, limit })
}

function generation(store: Store, number: number): { after: number; id: string } | undefined {
  const value = readSetting(store, nameOf(number))
  return value === undefined ? undefined : parsed(value)
}

function parsed(value: string): { after: number; id: string } {
  const [after = '', id = ''] = value.split(' ')
  return { after: Number(after), id }
}
