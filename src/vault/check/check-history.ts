// The part of check.ts that checks the past: the states, versions, content and names of each inode
// agree at every moment. Walks the collections side by side in order of inodes, and holds the
// history of one inode at a time.

import { isDirectory, isRegular, isSymlink } from '../../base/mode.ts'
import { firstIndex } from '../../base/sorted.ts'
import {
  actor as actors,
  type EntryPastRow,
  entry,
  entryPast,
  extent,
  extentPast,
  type InodePastRow,
  type InodeRow,
  inodePast,
  inode as inodes,
  PROVISIONAL,
  tagging,
  taggingPast,
  tag as tags,
  type VersionRow,
  version,
  xattr,
} from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Store } from '../../store/store.ts'
import { everyProjection, everyRow } from '../core/rows.ts'
import { isDeleted } from '../history/lifetimes.ts'
import type { FindingCode, Report, RowAt } from './findings.ts'

/** Later than any moment in a row. */
const NEVER = Number.POSITIVE_INFINITY

/** Groups rows by inode; they come in order of inodes. */
class ByInode<R extends { ino: number }> {
  readonly #rows: AsyncGenerator<R>
  #next: R | undefined
  #started = false

  constructor(rows: AsyncGenerator<R>) {
    this.#rows = rows
  }

  /** The smallest remaining inode, Infinity at the end. */
  async first(): Promise<number> {
    if (!this.#started) {
      this.#started = true
      await this.#step()
    }
    return this.#next?.ino ?? Number.POSITIVE_INFINITY
  }

  /** The rows of an inode; rows of smaller ones are skipped. */
  async take(ino: number): Promise<R[]> {
    const rows: R[] = []
    while ((await this.first()) <= ino) {
      if (this.#next?.ino === ino) rows.push(this.#next)
      await this.#step()
    }
    return rows
  }

  async #step(): Promise<void> {
    const { value } = await this.#rows.next()
    this.#next = value as R | undefined
  }
}

/** A range of a file's content, with its lifetime. */
interface Part {
  readonly ino: number
  readonly offset: number
  readonly end: number
  readonly since: number
  readonly until: number
  readonly isPast: boolean
}

type Say = (code: FindingCode, what: string, at?: RowAt) => void

/** Checks all rows of the past. Calls `tick` now and then, for progress. */
export async function checkHistory(store: Store, report: Report, tick: () => void): Promise<void> {
  const known = await actorsOf(store)
  const complete = new Set<number>()
  const directories = new Set<number>()
  const present = new ByInode(everyRow(store, inodes))
  const past = new ByInode(everyRow(store, inodePast))
  const versions = new ByInode(everyRow(store, version))
  const parts = new ByInode(everyPart(store, false))
  const pastParts = new ByInode(everyPart(store, true))
  const attributes = new ByInode(everyRow(store, xattr))
  const labels = new ByInode(everyRow(store, tagging))
  for (;;) {
    const ino = Math.min(await present.first(), await past.first())
    if (ino === Number.POSITIVE_INFINITY) break
    const [row] = await present.take(ino)
    const states: InodePastRow[] = await past.take(ino)
    const say: Say = (code, what, at) => report(code, `inode ${ino}: ${what}`, ino, at)
    checkStates(states, row, say)
    if (row !== undefined && row.since !== PROVISIONAL) states.push({ ...row, until: PROVISIONAL })
    const its = await versions.take(ino)
    checkVersions(its, states, row, say)
    const authors = [...states, ...(row === undefined ? [] : [row]), ...its].map((by) => by.actor)
    checkActors(known, authors, say)
    const content = [...(await parts.take(ino)), ...(await pastParts.take(ino))]
    checkParts(content, states, say)
    const values = await attributes.take(ino)
    if (row !== undefined && row.xattrs !== values.length)
      say(
        'history-xattrs',
        `it has ${values.length} extended attributes, its row says ${row.xattrs}`,
      )
    const tagged = await labels.take(ino)
    if (row !== undefined && row.tags !== tagged.length)
      say('history-tags', `it has ${tagged.length} tags, its row says ${row.tags}`)
    for (const { tag } of tagged)
      if ((await retryUntilLoaded(() => store.get(tags, [tag]))) === undefined)
        say('history-tag', `its tag ${JSON.stringify(tag)} does not exist`, {
          collection: tags.name,
          key: [tag],
        })
    if (states.length > 0) complete.add(ino)
    if (states.some((state) => isDirectory(state.mode))) directories.add(ino)
    tick()
  }
  await checkNames(store, { complete, directories, actors: known }, report, tick)
  await checkLabels(store, report, tick)
}

async function actorsOf(store: Store): Promise<ReadonlySet<number>> {
  const ids = new Set([0])
  for await (const { id } of everyRow(store, actors)) ids.add(id)
  return ids
}

function checkActors(known: ReadonlySet<number>, ids: readonly number[], say: Say): void {
  for (const id of ids)
    if (!known.has(id))
      say('history-actor', `actor ${id}, who changed it, is not known`, {
        collection: actors.name,
        key: [id],
      })
}

/** Without the bytes: a file may have more than fits in memory. */
async function* everyPart(store: Store, past: boolean): AsyncGenerator<Part> {
  const fields = ['ino', 'offset', 'since', 'length'] as const
  if (past)
    for await (const row of everyProjection(store, extentPast, [...fields, 'until']))
      yield { ...row, end: row.offset + row.length, isPast: true }
  else
    for await (const row of everyProjection(store, extent, fields))
      yield { ...row, end: row.offset + row.length, until: PROVISIONAL, isPast: false }
}

function checkStates(
  states: readonly InodePastRow[],
  present: InodeRow | undefined,
  say: Say,
): void {
  let end = 0
  for (const { ino, since, until } of states) {
    const at = { collection: inodePast.name, key: [ino, since] }
    if (since >= until) say('history-state', 'a past state ends before it begins', at)
    if (end > since) say('history-state', `two past states overlap at ${since}`, at)
    end = until
  }
  if (present === undefined) {
    if (end === PROVISIONAL)
      say('history-open', 'its last state does not end, and there is no present one')
  } else if (present.since === PROVISIONAL) {
    if (end > 0 && end !== PROVISIONAL)
      say('history-sealed', 'it is being changed, and the state before is over')
  } else if (end > present.since)
    say('history-present', `its present overlaps its past at ${present.since}`)
}

function checkVersions(
  versions: readonly VersionRow[],
  states: readonly InodePastRow[],
  present: InodeRow | undefined,
  say: Say,
): void {
  let last = 0
  for (const { ino, number, moment, size } of versions) {
    const at = { collection: version.name, key: [ino, number] }
    const wrong = (what: string): void => say('history-version', what, at)
    if (moment <= last) wrong(`version ${number} is not younger than the one before`)
    last = moment
    const state = stateAt(states, moment)
    if (state === undefined) wrong(`version ${number} has no state`)
    else if (state.size !== size || state.versions !== number)
      wrong(
        `version ${number} of ${size} bytes is version ${state.versions} of ${state.size} bytes then`,
      )
    if (present !== undefined && number > present.versions)
      wrong(`version ${number} is beyond its newest, ${present.versions}`)
  }
}

/** The state as of a moment. */
function stateAt(states: readonly InodePastRow[], moment: number): InodePastRow | undefined {
  const isLater = (at: number): boolean => (states[at] as InodePastRow).since > moment
  const state = states[firstIndex(states.length, isLater) - 1]
  return state !== undefined && state.until > moment ? state : undefined
}

/**
 * Checks that in each state the content does not overlap, stays within the file, and covers as many
 * bytes as the state says.
 */
function checkParts(parts: readonly Part[], states: readonly InodePastRow[], say: Say): void {
  const sealed = parts.filter((part) => part.since !== PROVISIONAL)
  for (const part of sealed) {
    const { offset, since, until, end } = part
    if (since >= until)
      say('history-extent', `a past extent at ${offset} ends before it begins`, rowOf(part))
    const state = stateAt(states, since)
    if (state !== undefined && end > state.size)
      say('history-end', `the extent at ${offset} was beyond the end at ${since}`, rowOf(part))
  }
  checkOverlaps(sealed, say)
  const starts = sealed.toSorted((a, b) => a.since - b.since)
  const ends = sealed.toSorted((a, b) => a.until - b.until)
  let covered = 0
  let started = 0
  let ended = 0
  for (const { since, mode, allocated } of states) {
    for (; (starts[started]?.since ?? NEVER) <= since; started++)
      covered += lengthOf(starts[started])
    for (; (ends[ended]?.until ?? NEVER) <= since; ended++) covered -= lengthOf(ends[ended])
    if ((isRegular(mode) || isSymlink(mode)) && covered !== allocated)
      say('history-covered', `at ${since} its extents cover ${covered} bytes, not ${allocated}`)
  }
}

function rowOf({ ino, offset, since, isPast }: Part): RowAt {
  return isPast
    ? { collection: extentPast.name, key: [ino, offset, since] }
    : { collection: extent.name, key: [ino, offset] }
}

function lengthOf(part: Part | undefined): number {
  return part === undefined ? 0 : part.end - part.offset
}

function checkOverlaps(parts: readonly Part[], say: Say): void {
  // Earlier parts that may overlap the next ones in offset.
  let there: Part[] = []
  const sorted = parts.toSorted((a, b) => a.offset - b.offset || a.since - b.since)
  for (const part of sorted) {
    there = there.filter((other) => other.end > part.offset)
    for (const other of there)
      if (other.since < part.until && part.since < other.until)
        say(
          'history-extent',
          `extents at ${other.offset} and ${part.offset} overlap at ${part.since}`,
          rowOf(part),
        )
    there.push(part)
  }
}

/**
 * Checks that each name led to one inode at a time, in a directory, and that deleted inodes have a
 * state that can be shown.
 */
async function checkNames(
  store: Store,
  known: Record<'complete' | 'directories' | 'actors', ReadonlySet<number>>,
  report: Report,
  tick: () => void,
): Promise<void> {
  const { complete, directories } = known
  for await (const { parent, name, actor } of everyRow(store, entry))
    checkActors(known.actors, [actor], (code, what, at) =>
      report(code, `${JSON.stringify(name)} in directory ${parent}: ${what}`, undefined, at),
    )
  let before: EntryPastRow | undefined
  for await (const row of everyRow(store, entryPast)) {
    const { parent, name, since, until } = row
    const at = { collection: entryPast.name, key: [parent, name, since] }
    const say = (what: string): void =>
      report(
        'history-name',
        `${JSON.stringify(name)} in directory ${parent}: ${what}`,
        undefined,
        at,
      )
    if (since >= until) say('a past entry ends before it begins')
    if (!directories.has(parent)) say('the directory never was')
    if (isDeleted(row.fate) && !complete.has(row.ino))
      say(`inode ${row.ino}, which it led to, never was`)
    checkActors(known.actors, [row.actor, row.endedBy], (code, what, its) =>
      report(code, `${JSON.stringify(name)} in directory ${parent}: ${what}`, undefined, its),
    )
    if (before?.parent === parent && before.name === name && before.until > since)
      say(`two past entries overlap at ${since}`)
    const present = await retryUntilLoaded(() => store.get(entry, [parent, name]))
    if (present !== undefined && present.since < until) say('its past overlaps its present')
    before = row
    tick()
  }
}

async function checkLabels(store: Store, report: Report, tick: () => void): Promise<void> {
  for await (const { ino, tag, since, until } of everyRow(store, taggingPast)) {
    const present = await retryUntilLoaded(() => store.get(tagging, [ino, tag]))
    if (since >= until || (present !== undefined && present.since < until))
      report(
        'history-label',
        `inode ${ino}: its past tag ${JSON.stringify(tag)} has no lifetime`,
        ino,
        { collection: taggingPast.name, key: [ino, tag, since] },
      )
    tick()
  }
}
