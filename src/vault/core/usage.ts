// What each user owns of a vault: bytes of content that is there and inodes, by uid. Counted as
// they change, so that a limit (quota.ts) costs a comparison, and kept in the same commit as what
// they count. Rows of the setting collection:
//
//   usage         the moment of the vault when they were written; where it is another one they are
//   counted anew
//   usage.UID     "BYTES INODES"
//
// An inode that is open without a name is its owner's as long as it is open, but in no row: after a
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
  /** Users whose rows are no longer what is counted. */
  readonly #changed = new Set<number>()
  #total: Used = NOTHING

  /** `changed`: users whose rows are to be written. */
  constructor(users: ReadonlyMap<number, Used>, changed: Iterable<number> = []) {
    for (const [uid, { bytes, files }] of users) this.add(uid, bytes, files)
    this.#changed = new Set(changed)
  }

  /** For another attempt at what changes it. */
  copy(): Usage {
    return new Usage(this.#users, this.#changed)
  }

  get total(): Used {
    return this.#total
  }

  of(uid: number): Used {
    return this.#users.get(uid) ?? NOTHING
  }

  users(): ReadonlyMap<number, Used> {
    return this.#users
  }

  add(uid: number, bytes: number, files: number): void {
    if (bytes === 0 && files === 0) return
    const its = this.of(uid)
    const now = { bytes: its.bytes + bytes, files: its.files + files }
    if (now.bytes === 0 && now.files === 0) this.#users.delete(uid)
    else this.#users.set(uid, now)
    this.#total = { bytes: this.#total.bytes + bytes, files: this.#total.files + files }
    this.#changed.add(uid)
  }

  /** When an inode that somebody uses last lost its last name; ms of `steadyMs`. */
  namelessSinceMs = Number.NEGATIVE_INFINITY

  /**
   * An inode lost its last name, or has its first again: it leaves the rows, or is in them again.
   */
  renamed(uid: number): void {
    this.#changed.add(uid)
    this.namelessSinceMs = steadyMs()
  }

  /** Puts the rows of users that changed since the last call into the commit that is being made. */
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
 * Bytes that an inode's owner is charged: those of its extents, and those written that are to
 * become more.
 */
export function chargeOf(inode: Inode): number {
  return inode.allocated + inode.reserved
}

/** Adds one inode to what users have. */
export function count(users: Map<number, Used>, uid: number, bytes: number): void {
  const its = users.get(uid) ?? NOTHING
  users.set(uid, { bytes: its.bytes + bytes, files: its.files + 1 })
}

/**
 * What the rows say, and whether they are those of the vault's last commit. `odd`: names of rows
 * that no count can come to, which say nothing; a vault may come from anybody, and less than
 * nothing would be room within every quota.
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

/** All rows that tell of usage as of the vault's last commit, at `moment`. */
export function usageRowsOf(users: ReadonlyMap<number, Used>, moment: number): SettingRow[] {
  return [momentRow(moment), ...[...users].map(([uid, its]) => usageRow(uid, its))]
}

/** Keys of the rows that tell of usage. */
export function usageKeys(store: Store): Key[] {
  return [[MOMENT], ...usageRows(store).map(({ name }): Key => [name])]
}
