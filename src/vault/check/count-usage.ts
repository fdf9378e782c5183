// Counts what each user owns from the rows: for a vault whose counters are not those of its last
// commit, and for repair.

import { inode as inodes } from '../../store/collections.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import type { Store } from '../../store/store.ts'
import { everyProjection } from '../core/rows.ts'
import { count, storedUsage, Usage, type Used } from '../core/usage.ts'

/** Counts the inodes by owner. Nobody may change the store meanwhile. */
export async function countUsage(store: Store): Promise<Map<number, Used>> {
  const users = new Map<number, Used>()
  for await (const { uid, allocated } of everyProjection(store, inodes, [
    'ino',
    'uid',
    'allocated',
  ]))
    count(users, uid, allocated)
  return users
}

/** The usage of a vault. Nobody may change the store meanwhile. */
export async function readUsage(store: Store): Promise<Usage> {
  const stored = await retryUntilLoaded(() => storedUsage(store))
  if (stored.isCurrent && stored.odd.length === 0) return new Usage(stored.users)
  const users = await countUsage(store)
  return new Usage(users, [...users.keys(), ...stored.users.keys()])
}
