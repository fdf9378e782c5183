// fsck: proves that the rows of a store make sense together. Reads only, in pages, letting other work go on between them.

import { setImmediate } from 'node:timers/promises'
import { isDirectory } from '../base/mode.ts'
import {
  type Collection,
  entry,
  hardlink,
  inode as inodes,
  type Key,
  type KeyPart,
  PROVISIONAL,
} from '../store/collections.ts'
import type { Range, Store } from '../store/store.ts'
import { checkContent } from './check-content.ts'
import { checkHistory } from './check-history.ts'
import { readCounters } from './settings.ts'

const PAGE_ROWS = 500
const ROOT = 1

export interface Problem {
  /** What kind of thing is wrong: 'entry', 'links', 'extent', 'block', 'history' ... */
  readonly kind: string
  readonly message: string
  readonly path?: string
}

export interface CheckOptions {
  /**
   * Reads every block and compares it with its hash. Without it the bytes of blocks are not read: what is proved is that all
   * rows make sense together, that inline content matches its checksum, and that every block is there and as long as it is used.
   */
  readonly deep: boolean
  readonly onProgress?: (done: number, total: number) => void
}

export interface CheckReport {
  readonly problems: readonly Problem[]
  readonly inodes: number
  readonly blocks: number
  /** Plain bytes of all blocks that were looked at. */
  readonly bytes: number
}

/** What the walk over the tree learned of one inode. */
export interface Known {
  readonly mode: number
  readonly nlink: number
  readonly size: number
  readonly parent: number
  readonly allocated: number
  /** The name that its row says it has. */
  readonly home: string
  /** Names that lead to it, names in it, and how many of these are directories. */
  names: number
  entries: number
  directories: number
  isHome: boolean
  hardlinks: number
  name: string
  under: number
}

export type Report = (kind: string, message: string, ino?: number) => void

/** Every row of a collection, in key order, a page at a time; lets timers and I/O run between pages. */
export function everyRow<R extends object>(
  store: Store,
  collection: Collection<R>,
  pageRows = PAGE_ROWS,
): AsyncGenerator<R> {
  return byPages(collection, pageRows, (range) => store.scan(collection, range))
}

/** The same of some columns, the whole key among them: those with bytes that are left out are not read. */
export function everyProjection<R extends object, F extends keyof R & string>(
  store: Store,
  collection: Collection<R>,
  fields: readonly F[],
): AsyncGenerator<Pick<R, F>> {
  return byPages(collection, PAGE_ROWS, (range) => store.project(collection, fields, range))
}

async function* byPages<R extends object, P extends object>(
  { fields, keyLength }: Collection<R>,
  limit: number,
  read: (range: Range) => P[],
): AsyncGenerator<P> {
  let gte: Key | undefined
  for (;;) {
    const rows = read(gte === undefined ? { limit } : { gte, limit })
    yield* gte === undefined ? rows : rows.slice(1)
    if (rows.length < limit) return
    const last = rows[rows.length - 1] as unknown as Record<string, KeyPart>
    gte = fields.slice(0, keyLength).map((field) => last[field] as KeyPart)
    await setImmediate()
  }
}

/** Checks a store that nobody changes meanwhile. */
export async function checkStore(store: Store, options: CheckOptions): Promise<CheckReport> {
  const problems: Problem[] = []
  const known = new Map<number, Known>()
  const report: Report = (kind, message, ino) => {
    const path = ino === undefined ? undefined : pathOf(known, ino)
    problems.push(path === undefined ? { kind, message } : { kind, message, path })
  }
  const counters = readCounters(store)
  let done = 0
  const tick = () => {
    if (++done % PAGE_ROWS === 0) options.onProgress?.(done, Math.max(done, counters.inodes * 3))
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
    if (row.ino >= counters.nextIno) report('counter', `inode ${row.ino} is beyond next_ino`)
    if (row.since !== PROVISIONAL && row.since > counters.moment)
      report('history', `inode ${row.ino} is younger than the vault's last moment`)
    tick()
  }
  for await (const row of everyRow(store, entry)) {
    const parent = known.get(row.parent)
    const child = known.get(row.ino)
    const name = `${JSON.stringify(row.name)} in directory ${row.parent}`
    if (parent === undefined || !isDirectory(parent.mode))
      report('entry', `${name} is in no directory`)
    if (child === undefined) report('entry', `${name} leads to inode ${row.ino}, which is missing`)
    else {
      child.names++
      if (child.parent === row.parent && child.home === row.name) child.isHome = true
      child.name = row.name
      child.under = row.parent
      if (child.mode >>> 12 !== row.type) report('entry', `${name} says the wrong type`, row.ino)
      if (isDirectory(child.mode) && child.parent !== row.parent)
        report('tree', `${name} is a directory with parent ${child.parent}`, row.ino)
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
    if (store.get(entry, [row.parent, row.name])?.ino !== row.ino)
      report(
        'links',
        `inode ${row.ino} is not ${JSON.stringify(row.name)} in directory ${row.parent}`,
      )
    tick()
  }
  for (const [ino, its] of known) checkLinks(known, ino, its, report)
  if (known.size !== counters.inodes)
    report('counter', `${known.size} inodes are there, the counter says ${counters.inodes}`)
  await checkHistory(store, report, tick)
  const content = await checkContent(store, known, options.deep, report, tick)
  options.onProgress?.(done, done)
  return { problems, inodes: known.size, ...content }
}

function checkLinks(known: Map<number, Known>, ino: number, its: Known, report: Report): void {
  const { names, entries } = its
  if (isDirectory(its.mode)) {
    if (its.size !== entries)
      report('links', `directory ${ino} has ${entries} names, its size says ${its.size}`, ino)
    if (its.nlink !== 2 + its.directories)
      report(
        'links',
        `directory ${ino} has link count ${its.nlink}, not ${2 + its.directories}`,
        ino,
      )
    if (ino !== ROOT && names !== 1) report('tree', `directory ${ino} has ${names} names`, ino)
  } else if (its.nlink !== names)
    report('links', `inode ${ino} has ${names} names, its link count is ${its.nlink}`, ino)
  if (ino !== ROOT && names > 0 && (!its.isHome || its.hardlinks !== names - 1))
    report('links', `inode ${ino} does not know all of its ${names} names`, ino)
  if (ino !== ROOT && names > 0 && pathOf(known, ino) === undefined)
    report('tree', `inode ${ino} cannot be reached from the root`)
}

/** The path of an inode from the root, by one of its names; undefined when it does not lead there. */
function pathOf(known: Map<number, Known>, ino: number): string | undefined {
  const names: string[] = []
  for (let at = ino; at !== ROOT; ) {
    const its = known.get(at)
    if (its === undefined || its.under === 0 || names.length > 4096) return undefined
    names.unshift(Buffer.from(its.name, 'latin1').toString())
    at = its.under
  }
  return `/${names.join('/')}`
}
