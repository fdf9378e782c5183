// Compares what a vault's reads as of a moment return with what a HistoryRun remembers.

import { retryUntilLoaded } from '../../src/store/retry.ts'
import type { Core } from '../../src/vault/core/core.ts'
import { type DeletedEntry, DeletedNames } from '../../src/vault/history/deleted.ts'
import { entriesAt, entryAt, inodeAt, readAt, xattrsAt } from '../../src/vault/history/timeline.ts'
import { versionsOf } from '../../src/vault/history/versions.ts'
import { findInode } from '../../src/vault/tree/inodes.ts'
import { pathOf } from '../../src/vault/tree/names.ts'
import type { HistoryRun, Observed, State } from './history-run.ts'
import { directoriesOf, type PlainFile } from './plain-model.ts'

/** The first thing that differs, in words. */
type Difference = string | undefined

function differs(what: string, found: unknown, wanted: unknown): Difference {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)]
  return a === b ? undefined : `${what}: found ${a?.slice(0, 300)}, wanted ${b?.slice(0, 300)}`
}

function compareState(
  core: Core,
  what: string,
  ino: number,
  moment: number,
  wanted: State,
): Difference {
  const row = inodeAt(core, ino, moment)
  if (row === undefined) return `${what}: there is no state`
  const found = { mode: row.mode, nlink: row.nlink }
  const attributes = differs(what, found, { mode: wanted.mode, nlink: wanted.nlink })
  if (attributes !== undefined || row.mode >>> 12 === 4) return attributes
  if (row.size !== wanted.bytes.length)
    return differs(`${what}: size`, row.size, wanted.bytes.length)
  const bytes = Buffer.concat(readAt(core, row, moment, 0, row.size))
  if (!bytes.equals(wanted.bytes)) return `${what}: other bytes than then`
  const middle = Buffer.concat(readAt(core, row, moment, row.size >> 1, 5000))
  const half = wanted.bytes.subarray(row.size >> 1, (row.size >> 1) + 5000)
  return middle.equals(half) ? undefined : `${what}: other bytes than then, read from the middle`
}

/** The tree as of one moment. */
export async function compareMoment(
  core: Core,
  run: HistoryRun,
  observed: Observed,
): Promise<Difference> {
  for (const its of observed.directories) {
    const found = await retryUntilLoaded(() => compareDirectory(core, run, observed, its))
    if (found !== undefined) return found
  }
  return undefined
}

function compareDirectory(
  core: Core,
  run: HistoryRun,
  { moment, isSnapshot }: Observed,
  { directory, entries }: Observed['directories'][number],
): Difference {
  const parent = run.ino(directory)
  const shown = entries
    .filter(({ span }) => isSnapshot || !run.isBrief(span))
    .sort((a, b) => (a.span.name < b.span.name ? -1 : 1))
  const wanted = shown.map(({ span }) => [span.name, run.ino(span.file)])
  const rows = entriesAt(core, parent, moment)
  const what = `directory ${parent} at ${moment}`
  const listed = differs(
    what,
    rows.map((row) => [row.name, row.ino]),
    wanted,
  )
  if (listed !== undefined) return listed
  const page = entriesAt(core, parent, moment, rows[1]?.name ?? '', 3)
  const paged = differs(
    `${what}, a page`,
    page.map((row) => row.name),
    wanted
      .slice(rows[1] === undefined ? 0 : 2)
      .slice(0, 3)
      .map(([name]) => name),
  )
  if (paged !== undefined) return paged
  for (const { span, state, xattrs } of shown) {
    const ino = run.ino(span.file)
    const where = `${span.name} in ${what}`
    const found =
      differs(where, entryAt(core, parent, span.name, moment)?.ino, ino) ??
      compareState(core, where, ino, moment, state) ??
      differs(`attributes of ${where}`, hex(xattrsAt(core, ino, moment)), hex(xattrs))
    if (found !== undefined) return found
  }
  return entryAt(core, parent, 'never', moment) && `${what}: a name from nowhere`
}

function hex(values: ReadonlyMap<string, Uint8Array>): [string, string][] {
  return [...values]
    .map(([name, value]): [string, string] => [name, Buffer.from(value).toString('hex')])
    .sort()
}

function compareVersions(
  core: Core,
  run: HistoryRun,
  directory: PlainFile,
  name: string,
): Difference {
  const what = `versions of ${name} in ${run.ino(directory)}`
  const found = versionsOf(core, run.ino(directory), name)
  const wanted = run.versionsOf(directory, name)
  const listed = differs(
    what,
    found.map((its) => [its.number, its.ino, its.size]),
    wanted.map((its, at) => [at + 1, run.ino(its.file), its.state.bytes.length]),
  )
  if (listed !== undefined) return listed
  for (const [at, { ino, moment, number }] of found.entries()) {
    const row = inodeAt(core, ino, moment)
    if (row === undefined) return `${what}: version ${number} has no state`
    const bytes = Buffer.concat(readAt(core, row, moment, 0, row.size))
    if (!bytes.equals((wanted[at] as { state: State }).state.bytes))
      return `${what}: version ${number} has other bytes`
  }
  return undefined
}

function compareDeleted(
  core: Core,
  run: HistoryRun,
  directory: PlainFile,
  names: ReadonlyMap<string, unknown>,
): Difference {
  const parent = run.ino(directory)
  const wanted = [...names.keys()].sort().flatMap((name) =>
    run
      .spansOf(directory, name)
      .filter(
        (span) => (span.fate === 'deleted' || span.fate === 'lost') && !directory.names.has(name),
      )
      .filter((span) => !run.isBrief(span))
      .reverse()
      .map((span, at) => ({ listed: at === 0 ? name : `${name}~${at + 1}`, span })),
  )
  const found = allDeleted(core, parent)
  const listed = differs(
    `deleted in ${parent}`,
    found.map((its) => [its.name, its.ino]),
    wanted.map(({ listed, span }) => [listed, run.ino(span.file)]),
  )
  if (listed !== undefined) return listed
  const inParts = differs('in parts of two rows', allDeleted(core, parent, 2), found)
  if (inParts !== undefined) return inParts
  for (const [at, { ino, until, name }] of found.entries()) {
    const { final } = (wanted[at] as { span: { final: State | undefined } }).span
    if (final === undefined || final.mode >>> 12 === 4) continue
    // Which of several links went first, within one commit, is not kept.
    const nlink = inodeAt(core, ino, until - 1)?.nlink ?? 0
    const latest = compareState(core, `deleted ${name}`, ino, until - 1, { ...final, nlink })
    if (latest !== undefined) return latest
  }
  return undefined
}

export function allDeleted(core: Core, parent: number, pageRows?: number): DeletedEntry[] {
  const names = new DeletedNames(core, parent, pageRows)
  const found: DeletedEntry[] = []
  for (let page = names.next(); page !== undefined; page = names.next()) found.push(...page)
  return found
}

function comparePaths(core: Core, run: HistoryRun): Difference {
  for (const { directory, path } of directoriesOf(run.root))
    for (const [name, file] of directory.names) {
      const found = pathOf(core, run.ino(file))
      const wanted = pathsTo(run.root, file)
      if (found === undefined || !wanted.includes(found))
        return differs(`path of ${path}/${name}`, found, wanted)
      if (findInode(core, run.ino(file)) === undefined) return `${path}/${name} is not there`
    }
  return undefined
}

function pathsTo(root: PlainFile, file: PlainFile): string[] {
  return [...directoriesOf(root)].flatMap(({ directory, path }) =>
    [...directory.names].filter(([, its]) => its === file).map(([name]) => `${path}/${name}`),
  )
}

/** All moments, versions, deleted names and paths. */
export async function compareAll(core: Core, run: HistoryRun): Promise<Difference> {
  for (const observed of run.observed) {
    const found = await compareMoment(core, run, observed)
    if (found !== undefined) return found
  }
  for (const [directory, names] of run.spans) {
    for (const name of names.keys()) {
      const found = await retryUntilLoaded(() => {
        // The vault goes on sealing what is quiet while this waits.
        run.noticeSeals()
        return compareVersions(core, run, directory, name)
      })
      if (found !== undefined) return found
    }
    const found = await retryUntilLoaded(() => compareDeleted(core, run, directory, names))
    if (found !== undefined) return found
  }
  return await retryUntilLoaded(() => comparePaths(core, run))
}
