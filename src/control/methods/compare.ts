// compare: the differences between two states of a path, file by file, with both contents of text
// files. The caller computes differences of lines, because that takes long enough to block a
// mounted vault.

import { CHUNK_BYTES } from '../../base/limits.ts'
import { isDirectory, isRegular, isSymlink } from '../../base/mode.ts'
import type { EntryRow } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Core } from '../../vault/core/core.ts'
import { type MeetingCheck, meetingCheck } from '../../vault/core/cycles.ts'
import { entriesAt, inodeAt } from '../../vault/history/timeline.ts'
import type { NameVersion } from '../../vault/history/versions.ts'
import { ControlError } from '../wire/errors.ts'
import type { Receive } from '../wire/protocol.ts'
import { bytesOf, piecesOf, type State } from './content.ts'
import type { Given, Methods } from './method.ts'
import type { Difference, ResultOf, Side, Wanted } from './method-types.ts'
import { pathOf } from './parameters.ts'
import { refusing } from './refusal.ts'
import { type FoundState, findState, type Versions, versionsOnce, wantedOf } from './state.ts'

/** Larger files are not compared line by line. */
const TEXT_BYTES_MAX = 16 * 1024 * 1024
/** As in git and diff: a file with a NUL among its first bytes is not text. */
const PROBE_BYTES = 8000
const PAGE_NAMES = 1000

export const compareMethods = {
  /** {path, before, after}: items are Differences, in order of path. */
  compare: {
    readOnly: true,
    run: (vault, parameters, { send }) => {
      const path = pathOf(parameters, 'path')
      return refusing(path, () => compare(vault.core, path, parameters, send))
    },
  },
} satisfies Partial<Methods>

type Send = Receive<Difference>

async function compare(
  core: Core,
  path: string,
  parameters: Given<'compare'>,
  send: Send,
): Promise<ResultOf<'compare'>> {
  const wanted = wantedOf(parameters, 'before')
  const later = wantedOf(parameters, 'after')
  const { before, after } = await retryUntilLoaded(() => {
    const versions = versionsOnce(core, path)
    const after = findSide(core, path, later, versions)
    const earlier = isEmpty(wanted) ? previous(versions(), later) : wanted
    const before = findSide(core, path, earlier, versions)
    // Present at neither time: findState throws the fitting error.
    if (before === undefined && after === undefined) findState(core, path, later, versions)
    return { before, after }
  })
  await compareRows(core, '', treeOf(before), treeOf(after), send)
  return { before: before?.version ?? null, after: after?.version ?? null }
}

/** A state that may be missing: a file created or deleted in between is a difference, too. */
function findSide(
  core: Core,
  path: string,
  wanted: Wanted,
  versions: Versions,
): FoundState | undefined {
  try {
    return findState(core, path, wanted, versions)
  } catch (error) {
    const isTime = wanted.version === undefined && error instanceof ControlError
    if (isTime && error.path !== undefined && error.kind === 'absent') return undefined
    throw error
  }
}

/** A state, and the inodes that a walk through it has met. */
interface Looked extends State {
  readonly isNew: MeetingCheck
}

function treeOf(state: FoundState | undefined): Looked | undefined {
  return state && { ...state, isNew: meetingCheck(state.ino) }
}

function isEmpty({ version, when, snapshot }: Wanted): boolean {
  return version === undefined && when === undefined && snapshot === undefined
}

/** The version before `later`, by default before the newest. */
function previous(versions: readonly NameVersion[], later: Wanted): Wanted {
  const at =
    later.version === undefined
      ? versions.length - 1
      : versions.findIndex(({ number }) => number === later.version)
  const before = versions[at - 1]
  if (before !== undefined) return { version: before.number }
  throw new ControlError('absent', 'there is no version before; say what to compare with: --at')
}

async function compareRows(
  core: Core,
  path: string,
  before: Looked | undefined,
  after: Looked | undefined,
  send: Send,
): Promise<void> {
  if (!isTree(before) || !isTree(after)) await compareFiles(core, path, before, after, send)
  if (isTree(before) || isTree(after)) await compareTrees(core, path, before, after, send)
}

function isTree(state: State | undefined): state is State {
  return state !== undefined && isDirectory(state.row.mode)
}

async function compareTrees(
  core: Core,
  path: string,
  before: Looked | undefined,
  after: Looked | undefined,
  send: Send,
): Promise<void> {
  const left = entriesOf(core, before)
  const right = entriesOf(core, after)
  let a = (await left.next()).value
  let b = (await right.next()).value
  while (a !== undefined || b !== undefined) {
    const order = a === undefined ? 1 : b === undefined ? -1 : compareNames(a.name, b.name)
    const name = (order <= 0 ? a : b)?.name ?? ''
    const [was, is] = [a, b]
    await compareRows(
      core,
      path === '' ? name : `${path}/${name}`,
      order <= 0 ? await stateOf(core, was, before) : undefined,
      order >= 0 ? await stateOf(core, is, after) : undefined,
      send,
    )
    if (order <= 0) a = (await left.next()).value
    if (order >= 0) b = (await right.next()).value
  }
}

function compareNames(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}

async function* entriesOf(
  core: Core,
  state: State | undefined,
): AsyncGenerator<EntryRow, undefined> {
  if (!isTree(state)) return undefined
  for (let after: string | undefined; ; ) {
    const from = after
    const { row, moment } = state
    const rows = await retryUntilLoaded(() => entriesAt(core, row.ino, moment, from, PAGE_NAMES))
    yield* rows
    if (rows.length < PAGE_NAMES) return undefined
    after = rows[rows.length - 1]?.name
  }
}

async function stateOf(
  core: Core,
  entry: EntryRow | undefined,
  within: Looked | undefined,
): Promise<Looked | undefined> {
  if (entry === undefined || within === undefined) return undefined
  const { moment, isNew } = within
  const row = await retryUntilLoaded(() => inodeAt(core, entry.ino, moment))
  if (row === undefined) return undefined
  if (isDirectory(row.mode) && !isNew(row, within.row.ino, entry.name)) return undefined
  return { row: { ...row }, moment, isNew }
}

async function compareFiles(
  core: Core,
  path: string,
  before: State | undefined,
  after: State | undefined,
  send: Send,
): Promise<void> {
  const same = before !== undefined && after !== undefined && (await isSame(core, before, after))
  if (same && before.row.mode === after.row.mode) return
  const states = [before, after].filter((its) => its !== undefined).filter(hasContent)
  const isAll = () => states.every((state) => isText(core, state))
  const text = !same && states.length > 0 && (await retryUntilLoaded(isAll))
  const difference: Difference = {
    path,
    before: sideOf(before),
    after: sideOf(after),
    text,
    binary: !same && states.length > 0 && !text,
  }
  await send({ item: difference })
  if (!text) return
  for (const state of states) for await (const piece of piecesOf(core, state)) await send(piece)
}

function sideOf(state: State | undefined): Side | null {
  if (state === undefined) return null
  const { mode, size, mtime } = state.row
  return { mode, size: hasBytes(mode) ? size : 0, mtime }
}

function hasContent({ row }: State): boolean {
  return hasBytes(row.mode)
}

function hasBytes(mode: number): boolean {
  return isRegular(mode) || isSymlink(mode)
}

async function isSame(core: Core, before: State, after: State): Promise<boolean> {
  const a = before.row
  const b = after.row
  if ((a.mode & ~0o7777) !== (b.mode & ~0o7777) || a.rdev !== b.rdev) return false
  if (!hasBytes(a.mode)) return true
  if (a.size !== b.size) return false
  if (a.ino === b.ino && a.versions === b.versions) return true
  for (let at = 0; at < a.size; at += CHUNK_BYTES) {
    const from = at
    const chunk = (state: State) => bytesOf(core, state, from, CHUNK_BYTES)
    if (!(await retryUntilLoaded(() => chunk(before).equals(chunk(after))))) return false
  }
  return true
}

function isText(core: Core, state: State): boolean {
  return state.row.size <= TEXT_BYTES_MAX && !bytesOf(core, state, 0, PROBE_BYTES).includes(0)
}
