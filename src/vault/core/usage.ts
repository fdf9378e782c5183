// What each user owns in a vault, by uid: bytes of present content, and inodes. Counted as they
// change, so that checking a limit (quota.ts) costs a comparison, and stored in the same commit as
// what is counted. Rows of the setting collection:
//
//   usage         the moment of the vault when they were written; if the vault's moment differs,
//                 everything is recounted
//   usage.UID     "BYTES INODES"
//
// An inode that is open without a name counts for its owner in memory, but not in the rows: after a
// crash it is gone.

import { steadyMs } from '../../base/clock.ts'
import { type Key, type SettingRow, setting } from '../../store/collections.ts'
import type { Overlay } from '../../store/overlay.ts'
import { ALL, type Store } from '../../store/store.ts'
import type { Inode } from './inode.ts'
import { readSetting } from './settings.ts'

/** Bytes that extents cover, and inodes of any type. */
export interface Used {
  readonly bytes: number
  readonly files: number
}

const MOMENT = 'usage'
const PREFIX = 'usage.'
const AFTER_ALL = 'usage/'
const NOTHING: Used = { bytes: 0, files: 0 }
const UID_MAX = 2 ** 32 - 1

export class Usage {
  readonly #users = new Map<number, Used>()
  /** Users whose rows are out of date. */
  readonly #changed = new Set<number>()
  #total: Used = NOTHING

  /** `changed`: users whose rows are to be written. */
  constructor(users: ReadonlyMap<number, Used>, changed: Iterable<number> = []) {
    for (const [uid, { bytes, files }] of users) this.add(uid, bytes, files)
    this.#changed = new Set(changed)
  }

  /** A copy, for another attempt at an operation that changes it. */
  copy(): Usage {
    return new Usage(this.#users, this.#changed)
  }

  get total(): Used {
    return this.#total
  }

  /** What a user owns. */
  of(uid: number): Used {
    return this.#users.get(uid) ?? NOTHING
  }

  users(): ReadonlyMap<number, Used> {
    return this.#users
  }

  /** Changes what a user owns; negative numbers take away. */
  add(uid: number, bytes: number, files: number): void {
    if (bytes === 0 && files === 0) return
    const its = this.of(uid)
    const now = { bytes: its.bytes + bytes, files: its.files + files }
    if (now.bytes === 0 && now.files === 0) this.#users.delete(uid)
    else this.#users.set(uid, now)
    this.#total = { bytes: this.#total.bytes + bytes, files: this.#total.files + files }
    this.#changed.add(uid)
  }

  /** When an inode last lost its last name while in use; ms of `steadyMs`. */
  namelessSinceMs = Number.NEGATIVE_INFINITY

  /**
   * Called when an inode of `uid` loses its last name or gets one again: rows do not count nameless
   * inodes.
   */
  renamed(uid: number): void {
    this.#changed.add(uid)
    this.namelessSinceMs = steadyMs()
  }

  /** Puts the usage rows that changed since the last call into the commit being made. */
  note(overlay: Overlay, orphans: ReadonlyMap<number, Inode>, moment: number): void {
    const nameless = new Map<number, Used>()
    if (this.#changed.size > 0)
      for (const inode of orphans.values()) count(nameless, inode.uid, chargeOf(inode))
    for (const uid of this.#changed) {
      const { bytes, files } = nameless.get(uid) ?? NOTHING
      const its = this.of(uid)
      const row = usageRow(uid, { bytes: its.bytes - bytes, files: its.files - files })
      if (its.files === files) overlay.delete(setting, [row.name])
      else overlay.put(setting, row)
    }
    this.#changed.clear()
    overlay.put(setting, momentRow(moment))
  }
}

/**
 * Bytes that an inode's owner is charged: those of its extents, and those written that will need
 * new ones.
 */
export function chargeOf(inode: Inode): number {
  return inode.allocated + inode.reserved
}

/** Adds one inode to a user's count. */
export function count(users: Map<number, Used>, uid: number, bytes: number): void {
  const its = users.get(uid) ?? NOTHING
  users.set(uid, { bytes: its.bytes + bytes, files: its.files + 1 })
}

/**
 * The usage rows, and whether they belong to the vault's last commit. `odd`: names of rows with
 * impossible values, which are ignored: a forged vault could claim negative usage and so evade
 * every quota.
 */
export function storedUsage(store: Store): {
  users: Map<number, Used>
  isCurrent: boolean
  odd: string[]
} {
  const users = new Map<number, Used>()
  const odd: string[] = []
  const moment = readSetting(store, MOMENT)
  for (const { name, value } of usageRows(store)) {
    const [bytes = -1, files = -1] = value.split(' ').map(Number)
    const uid = Number(name.slice(PREFIX.length))
    const its = usageRow(uid, { bytes, files })
    const isSound = [uid, bytes, files].every((count) => Number.isSafeInteger(count) && count >= 0)
    if (isSound && uid <= UID_MAX && its.name === name && its.value === value)
      users.set(uid, { bytes, files })
    else odd.push(name)
  }
  const isCurrent = moment !== undefined && moment === readSetting(store, 'moment')
  return { users, isCurrent, odd }
}

function usageRows(store: Store): SettingRow[] {
  return store.scan(setting, { gte: [PREFIX], lt: [AFTER_ALL], limit: ALL })
}

function usageRow(uid: number, { bytes, files }: Used): SettingRow {
  return { name: `${PREFIX}${uid}`, value: `${bytes} ${files}` }
}

function momentRow(moment: number): SettingRow {
  return { name: MOMENT, value: String(moment) }
}

/** All usage rows as of the vault's last commit, at `moment`. */
export function usageRowsOf(users: ReadonlyMap<number, Used>, moment: number): SettingRow[] {
  return [momentRow(moment), ...[...users].map(([uid, its]) => usageRow(uid, its))]
}

/** Keys of all usage rows. */
export function usageKeys(store: Store): Key[] {
  return [[MOMENT], ...usageRows(store).map(({ name }): Key => [name])]
}
