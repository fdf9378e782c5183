// fsck: checks that the rows of a store are consistent. Reads only, page by page, so that other
// work can run in between.

import { isDirectory } from '../../base/mode.ts'
import {
  type Collection,
  clock,
  collections,
  entry,
  hardlink,
  hold,
  inode as inodes,
  numbering,
  orphan,
  PROVISIONAL,
  setting,
  snapshot,
  tag,
  unsealed,
  xattrPast,
} from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { type Store, StoreError } from '../../store/store.ts'
import { cycleCheck } from '../core/cycles.ts'
import { ROOT_INO } from '../core/inode.ts'
import { everyRow } from '../core/rows.ts'
import { type Counters, readCounters, readSetting } from '../core/settings.ts'
import { count, storedUsage, type Used } from '../core/usage.ts'
import { checkContent } from './check-content.ts'
import { checkHistory } from './check-history.ts'
import { type FindingCode, kindOf, type Report, type RowAt } from './findings.ts'
import type { Known } from './known.ts'
import { everyPage } from './read-all.ts'

/** Rows between two progress reports. */
const PROGRESS_ROWS = 500
/** Collections that no other check reads. */
const readable = [
  setting,
  numbering,
  snapshot,
  tag,
  hold,
  clock,
  unsealed,
  xattrPast,
] as unknown as readonly Collection<object>[]

/**
 * One finding. `kind` and `message` are for people, `path` as text; `ino` and `at` as in Report.
 */
export interface Problem {
  readonly kind: string
  readonly code: FindingCode
  readonly message: string
  readonly path?: string
  readonly ino?: number
  readonly at?: RowAt
}

export interface CheckOptions {
  /**
   * Reads every block and compares it with its hash. Without it, blocks are not read; what is
   * checked is that all rows are consistent, that inline content matches its checksum, and that
   * every block exists and is as long as its uses need.
   */
  readonly deep: boolean
  readonly onProgress?: (done: number, total: number) => void
}

export interface CheckReport {
  readonly problems: readonly Problem[]
  readonly inodes: number
  readonly blocks: number
  /** Plain bytes of all blocks that were checked. */
  readonly bytes: number
}

/**
 * Checks a store that nobody changes meanwhile, or a view of `engine`. Rows that cannot be read are
 * reported as problems, and with `deep` the findings of the engine's own check, too. Throws
 * StoreError.
 */
export async function checkStore(
  store: Store,
  options: CheckOptions,
  engine: Store = store,
): Promise<CheckReport> {
  const ofEngine = options.deep ? await engine.verify() : []
  const code = 'engine-damaged'
  const problems = ofEngine.map((message): Problem => ({ kind: kindOf(code), code, message }))
  try {
    const report = await checkRows(store, options)
    return { ...report, problems: [...problems, ...report.problems] }
  } catch (error) {
    if (!(error instanceof StoreError) || error.kind !== 'corrupt') throw error
    problems.push(...(await findUnreadable(store)))
    // Readable row by row, but not as a whole: report the error itself.
    if (problems.length === 0) throw error
    return { problems, inodes: 0, blocks: 0, bytes: 0 }
  }
}

/** A finding for each row that cannot be read. */
async function findUnreadable(store: Store): Promise<Problem[]> {
  const problems: Problem[] = []
  const code = 'row-damaged'
  for (const collection of collections)
    for await (const _ of everyPage(store, collection, ({ collection: name, key, message }) => {
      const at = key === undefined ? {} : { at: { collection: name, key } }
      const which = key === undefined ? name : `${name} ${JSON.stringify(key)}`
      problems.push({ kind: kindOf(code), code, message: `${which}: ${message}`, ...at })
    }));
  return problems
}

async function countersOf(store: Store, report: Report): Promise<Counters> {
  try {
    return await retryUntilLoaded(() => readCounters(store))
  } catch (error) {
    const isDamaged = error instanceof StoreError && error.kind === 'corrupt'
    // Without its format it may not be a vault at all.
    if (!isDamaged || readSetting(store, 'format') === undefined) throw error
    report('counter-damaged', error.message)
    return { moment: PROVISIONAL, nextIno: PROVISIONAL, inodes: 0 }
  }
}

async function checkRows(store: Store, options: CheckOptions): Promise<CheckReport> {
  const problems: Problem[] = []
  const known = new Map<number, Known>()
  const report: Report = (code, message, ino, at) => {
    const path = ino === undefined ? undefined : pathOf(known, ino)
    problems.push({
      kind: kindOf(code),
      code,
      message,
      ...(path === undefined ? {} : { path }),
      ...(ino === undefined ? {} : { ino }),
      ...(at === undefined ? {} : { at }),
    })
  }
  const counters = await countersOf(store, report)
  const users = new Map<number, Used>()
  let done = 0
  const tick = () => {
    if (++done % PROGRESS_ROWS === 0)
      options.onProgress?.(done, Math.max(done, counters.inodes * 3))
  }

  for await (const row of everyRow(store, inodes)) {
    known.set(row.ino, {
      mode: row.mode,
      nlink: row.nlink,
      size: row.size,
      parent: row.parent,
      allocated: row.allocated,
      home: row.name,
      isHome: false,
      hardlinks: 0,
      names: 0,
      entries: 0,
      directories: 0,
      name: '',
      under: 0,
    })
    count(users, row.uid, row.allocated)
    if (row.ino >= counters.nextIno) report('counter-next', `inode ${row.ino} is beyond next_ino`)
    if (row.since !== PROVISIONAL && row.since > counters.moment)
      report('counter-moment', `inode ${row.ino} is younger than the vault's last moment`)
    tick()
  }
  for await (const row of everyRow(store, entry)) {
    const parent = known.get(row.parent)
    const child = known.get(row.ino)
    const name = `${JSON.stringify(row.name)} in directory ${row.parent}`
    const at = { collection: entry.name, key: [row.parent, row.name] }
    if (parent === undefined || !isDirectory(parent.mode))
      report('entry-parent', `${name} is in no directory`, undefined, at)
    if (child === undefined)
      report('entry-target', `${name} leads to inode ${row.ino}, which is missing`, undefined, at)
    else {
      child.names++
      if (child.parent === row.parent && child.home === row.name) child.isHome = true
      child.name = row.name
      child.under = row.parent
      if (child.mode >>> 12 !== row.type)
        report('entry-type', `${name} says the wrong type`, row.ino, at)
      if (isDirectory(child.mode) && child.parent !== row.parent)
        report('tree-parent', `${name} is a directory with parent ${child.parent}`, row.ino, at)
    }
    if (parent !== undefined) {
      parent.directories += child !== undefined && isDirectory(child.mode) ? 1 : 0
      parent.entries++
    }
    tick()
  }
  for await (const row of everyRow(store, hardlink)) {
    const its = known.get(row.ino)
    if (its !== undefined) its.hardlinks++
    const named = await retryUntilLoaded(() => store.get(entry, [row.parent, row.name]))
    if (named?.ino !== row.ino)
      report(
        'links-hardlink',
        `inode ${row.ino} is not ${JSON.stringify(row.name)} in directory ${row.parent}`,
        undefined,
        { collection: hardlink.name, key: [row.ino, row.parent, row.name] },
      )
    tick()
  }
  const root = known.get(ROOT_INO)
  if (root === undefined || !isDirectory(root.mode))
    report('tree-root', 'there is no root directory', ROOT_INO)
  const isReached = reachability(known)
  for (const [ino, its] of known) checkLinks(ino, its, isReached, report)
  if (known.size !== counters.inodes)
    report('counter-inodes', `${known.size} inodes are there, the counter says ${counters.inodes}`)
  await checkUsage(store, users, report)
  for await (const { ino } of everyRow(store, orphan))
    if (known.has(ino))
      report('tree-orphan', `inode ${ino} is not unlinked, but is to be swept`, ino, {
        collection: orphan.name,
        key: [ino],
      })
  // These have no checks of their own, but must be readable.
  for (const collection of readable) for await (const _ of everyRow(store, collection)) tick()
  await checkHistory(store, report, tick)
  const content = await checkContent(store, known, options.deep, report, tick)
  options.onProgress?.(done, done)
  return { problems, inodes: known.size, ...content }
}

function checkLinks(
  ino: number,
  its: Known,
  isReached: (ino: number) => boolean,
  report: Report,
): void {
  const { names, entries } = its
  if (isDirectory(its.mode)) {
    if (its.size !== entries)
      report('links-size', `directory ${ino} has ${entries} names, its size says ${its.size}`, ino)
    if (its.nlink !== 2 + its.directories)
      report(
        'links-count',
        `directory ${ino} has link count ${its.nlink}, not ${2 + its.directories}`,
        ino,
      )
    if (names !== (ino === ROOT_INO ? 0 : 1))
      report('tree-names', `directory ${ino} has ${names} names`, ino)
  } else if (its.nlink !== names)
    report('links-count', `inode ${ino} has ${names} names, its link count is ${its.nlink}`, ino)
  if (ino !== ROOT_INO && names > 0 && (!its.isHome || its.hardlinks !== names - 1))
    report('links-homes', `inode ${ino} does not know all of its ${names} names`, ino)
  if (ino !== ROOT_INO && names > 0 && !isReached(ino))
    report('tree-reach', `inode ${ino} cannot be reached from the root`, ino)
}

/** Counters of an older commit are recounted whenever the vault is opened. */
async function checkUsage(
  store: Store,
  counted: ReadonlyMap<number, Used>,
  report: Report,
): Promise<void> {
  const { users, isCurrent, odd } = await retryUntilLoaded(() => storedUsage(store))
  if (!isCurrent) return
  for (const name of odd) report('counter-usage', `${name} is no counter of a user`)
  for (const uid of new Set([...counted.keys(), ...users.keys()])) {
    const { bytes, files } = counted.get(uid) ?? { bytes: 0, files: 0 }
    const its = users.get(uid) ?? { bytes: 0, files: 0 }
    if (its.bytes !== bytes || its.files !== files)
      report(
        'counter-usage',
        `user ${uid} has ${bytes} bytes in ${files} inodes, the counter says ${its.bytes} in ${its.files}`,
      )
  }
}

/**
 * The path of an inode from the root, by one of its names; undefined when it does not lead to the
 * root.
 */
function pathOf(known: Map<number, Known>, ino: number): string | undefined {
  const names: string[] = []
  const isCircle = cycleCheck()
  for (let at = ino; at !== ROOT_INO; ) {
    const its = known.get(at)
    if (its === undefined || its.under === 0 || isCircle(at)) return undefined
    names.push(Buffer.from(its.name, 'latin1').toString())
    at = its.under
  }
  return `/${names.reverse().join('/')}`
}

/**
 * A function that tells whether an inode's names lead to the root. It remembers each step, so none
 * is taken twice.
 */
function reachability(known: Map<number, Known>): (ino: number) => boolean {
  const reached = new Map([[ROOT_INO, true]])
  return (ino) => {
    const way: number[] = []
    let at = ino
    while (!reached.has(at)) {
      // Meeting it again before it is known means a cycle.
      reached.set(at, false)
      way.push(at)
      at = known.get(at)?.under ?? 0
    }
    const isReached = reached.get(at) === true
    for (const passed of way) reached.set(passed, isReached)
    return isReached
  }
}
