// Facts about the vault as a whole, as rows of the setting collection.

import { MOMENT_MAX } from '../../base/limits.ts'
import { inodePast, inode as inodes, type SettingRow, setting } from '../../store/collections.ts'
import { type Store, StoreError } from '../../store/store.ts'

/** The format of the rows themselves; engines version their files separately. */
export const ROW_FORMAT = 1

/** Higher numbers are inodes of the views: the counter must not get there. */
const NEXT_INO_MAX = 2 ** 51

/** Counters that every commit carries, so that they agree with its rows. */
export interface Counters {
  readonly moment: number
  readonly nextIno: number
  readonly inodes: number
}

/** The counters as setting rows. */
export function counterRows(counters: Counters): SettingRow[] {
  return [
    { name: 'moment', value: String(counters.moment) },
    { name: 'next_ino', value: String(counters.nextIno) },
    { name: 'inodes', value: String(counters.inodes) },
  ]
}

/** The settings of a new vault. */
export function birthRows(id: string, createdAt: string): SettingRow[] {
  return [
    { name: 'format', value: String(ROW_FORMAT) },
    { name: 'id', value: id },
    { name: 'created_at', value: createdAt },
  ]
}

/** The value of a JSON setting; undefined where it is missing or invalid, as in a forged vault. */
export function parsedSetting(value: string | undefined): unknown {
  try {
    return value === undefined ? undefined : JSON.parse(value)
  } catch {
    return undefined
  }
}

/** A setting, or undefined. */
export function readSetting(store: Store, name: string): string | undefined {
  return store.get(setting, [name])?.value
}

/**
 * The counters of a vault. Throws StoreError 'format' when a newer avfs wrote it, 'corrupt' when
 * they are missing or damaged.
 */
export function readCounters(store: Store): Counters {
  const format = Number(readSetting(store, 'format'))
  if (!(format >= 1)) throw new StoreError('corrupt', 'this is not an avfs vault: it has no format')
  if (format > ROW_FORMAT)
    throw new StoreError(
      'format',
      `the vault has row format ${format}; this avfs reads up to ${ROW_FORMAT}: install a newer avfs`,
    )
  const number = (name: string, max: number): number => {
    const value = Number(readSetting(store, name))
    if (!Number.isSafeInteger(value) || value < 0 || value > max)
      throw new StoreError('corrupt', `setting ${name} is damaged`)
    return value
  }
  return {
    moment: number('moment', MOMENT_MAX),
    nextIno: number('next_ino', NEXT_INO_MAX),
    inodes: number('inodes', Number.MAX_SAFE_INTEGER),
  }
}

/**
 * The number of the next inode: that of the counter, but above all in use now or in the past. A
 * counter that says less (of a damaged vault, or a stranger's) would give numbers of others away.
 */
export function nextInoOf(store: Store, counters: Counters): number {
  // A stranger's row may have text for a number, which sorts behind all numbers.
  const end = { lt: [NEXT_INO_MAX], reverse: true, limit: 1 }
  try {
    const [present] = store.project(inodes, ['ino'], end)
    const [past] = store.project(inodePast, ['ino', 'since'], end)
    const last = Math.max(present?.ino ?? 0, past?.ino ?? 0)
    return Math.max(counters.nextIno, Math.floor(last) + 1)
  } catch (error) {
    if (error instanceof StoreError && error.kind === 'corrupt') return counters.nextIno
    throw error
  }
}
