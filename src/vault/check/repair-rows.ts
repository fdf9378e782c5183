// The rows of a vault under repair: reads them without the vault's caches and history, and changes
// them in batches that leave the counters correct. Knows what rows are, not what is wrong with
// them.

import { isDirectory } from '../../base/mode.ts'
import {
  type Collection,
  collections,
  type EntryRow,
  entry,
  type HardlinkRow,
  hardlink,
  type InodeRow,
  inodePast,
  inode as inodes,
  type Key,
  RESTORED,
  setting,
} from '../../store/collections.ts'
import { keyOf } from '../../store/keys.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { ALL, type Changes, type Store } from '../../store/store.ts'
import { ROOT_INO } from '../core/inode.ts'
import { everyProjection, everyRow } from '../core/rows.ts'
import { type Counters, counterRows } from '../core/settings.ts'
import { usageKeys, usageRowsOf } from '../core/usage.ts'
import { directoryRow } from '../tree/directory-row.ts'
import { countUsage } from './count-usage.ts'
import type { RowAt } from './findings.ts'

const LOST_AND_FOUND = 'lost+found'
const DIRECTORY_PERMISSIONS = 0o700

export class RepairRows {
  readonly store: Store
  readonly step: (text: string) => void
  isChanged = false
  #moment: number
  #nextIno: number
  /** By collection and key: a row to put, or undefined to delete it. */
  readonly #changes = new Map<
    Collection<object>,
    Map<string, { key: Key; row: object | undefined }>
  >()

  constructor(store: Store, counters: Counters, step: (text: string) => void) {
    this.store = store
    this.step = step
    this.#moment = counters.moment
    this.#nextIno = counters.nextIno
  }

  /** A moment later than all others of the vault. */
  moment(): number {
    return ++this.#moment
  }

  async get<R extends object>(collection: Collection<R>, key: Key): Promise<R | undefined> {
    const change = this.#changes.get(any(collection))?.get(JSON.stringify(key))
    if (change !== undefined) return change.row as R | undefined
    return retryUntilLoaded(() => this.store.get(collection, key))
  }

  /** The committed rows whose keys begin with `ino`. */
  async below<R extends object>(collection: Collection<R>, ino: number): Promise<R[]> {
    const range = { gte: [ino], lt: [ino + 1], limit: ALL }
    return retryUntilLoaded(() => this.store.scan(collection, range))
  }

  put<R extends object>(collection: Collection<R>, row: R): void {
    this.#set(any(collection), keyOf(collection, row), row)
  }

  delete<R extends object>(collection: Collection<R>, key: Key): void {
    this.#set(any(collection), key, undefined)
  }

  /** Deletes the row that a finding is about. */
  drop({ collection: name, key }: RowAt): void {
    const collection = collections.find((its) => its.name === name)
    if (collection !== undefined) this.delete(collection, key)
  }

  #set(collection: Collection<object>, key: Key, row: object | undefined): void {
    let its = this.#changes.get(collection)
    if (its === undefined) {
      its = new Map()
      this.#changes.set(collection, its)
    }
    its.set(JSON.stringify(key), { key, row })
  }

  /** Commits the changes so far. */
  async flush(): Promise<void> {
    const batch: Changes[] = [...this.#changes].map(([collection, changes]) => ({
      collection,
      puts: [...changes.values()].flatMap(({ row }) => (row === undefined ? [] : [row])),
      deletes: [...changes.values()].flatMap(({ key, row }) => (row === undefined ? [key] : [])),
    }))
    this.#changes.clear()
    if (batch.length === 0) return
    await this.store.commit(batch)
    this.isChanged = true
  }

  /** Recounts the counters of the whole vault. */
  async close(): Promise<void> {
    let count = 0
    let last = ROOT_INO
    let moment = this.#moment
    for await (const { ino, since } of everyProjection(this.store, inodes, ['ino', 'since'])) {
      count++
      last = Math.max(last, ino)
      if (since < Number.MAX_SAFE_INTEGER) moment = Math.max(moment, since)
    }
    for await (const { ino } of everyProjection(this.store, inodePast, ['ino', 'since']))
      last = Math.max(last, ino)
    const nextIno = Math.max(this.#nextIno, last + 1)
    const counters = { moment, nextIno, inodes: count }
    for (const row of counterRows(counters)) this.put(setting, row)
    for (const key of await retryUntilLoaded(() => usageKeys(this.store))) this.delete(setting, key)
    for (const row of usageRowsOf(await countUsage(this.store), moment)) this.put(setting, row)
    await this.flush()
  }

  /** All names of these inodes, found in one walk. */
  async namesOf(inos: ReadonlySet<number>): Promise<Map<number, EntryRow[]>> {
    const names = new Map<number, EntryRow[]>([...inos].map((ino) => [ino, []]))
    for await (const row of everyRow(this.store, entry)) names.get(row.ino)?.push(row)
    return names
  }

  /**
   * Gives an inode a name in /lost+found, which is created if needed; its former names must be
   * deleted already.
   */
  async adopt(row: InodeRow): Promise<void> {
    const parent = row.ino === ROOT_INO ? ROOT_INO : await this.#lostAndFound()
    let name = `#${row.ino}`
    while ((await this.get(entry, [parent, name])) !== undefined) name += '_'
    for (const link of await this.below<HardlinkRow>(hardlink, row.ino))
      this.delete(hardlink, [link.ino, link.parent, link.name])
    this.put(inodes, { ...row, parent, name, nlink: isDirectory(row.mode) ? row.nlink : 1 })
    this.#link(parent, name, row)
    this.step(`inode ${row.ino} is /${LOST_AND_FOUND}/${name} now`)
  }

  async #lostAndFound(): Promise<number> {
    const there = await this.get(entry, [ROOT_INO, LOST_AND_FOUND])
    const row = there === undefined ? undefined : await this.get(inodes, [there.ino])
    if (row !== undefined && isDirectory(row.mode)) return row.ino
    // A file of that name keeps its inode, and gets a new name like any other nameless one.
    const ino = await this.#freeIno()
    const made = this.newDirectory(ino, ROOT_INO, LOST_AND_FOUND)
    this.put(inodes, made)
    this.#link(ROOT_INO, LOST_AND_FOUND, made)
    this.step(`made the directory /${LOST_AND_FOUND}`)
    return ino
  }

  async #freeIno(): Promise<number> {
    for (;;) {
      const ino = this.#nextIno++
      const isPast = (await this.below(inodePast, ino)).length > 0
      if (!isPast && (await this.get(inodes, [ino])) === undefined) return ino
    }
  }

  #link(parent: number, name: string, { ino, mode }: InodeRow): void {
    const type = (mode >>> 12) as EntryRow['type']
    const since = this.moment()
    this.put(entry, {
      parent,
      name,
      ino,
      type,
      fromParent: 0,
      fromName: '',
      origin: RESTORED,
      actor: 0,
      since,
    })
  }

  /** An empty directory that only root can access; link count and size are still to be counted. */
  newDirectory(ino: number, parent: number, name: string): InodeRow {
    const root = { permissions: DIRECTORY_PERMISSIONS, uid: 0, gid: 0 }
    return directoryRow({ ...root, ino, parent, name, since: this.moment() })
  }
}

function any<R extends object>(collection: Collection<R>): Collection<object> {
  return collection as unknown as Collection<object>
}
