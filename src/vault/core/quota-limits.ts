// The limits that quotas set, as numbers; quota.ts enforces them.

import type { Used } from './usage.ts'

/** Bytes and inodes; Infinity where there is no limit. */
export type Limit = Used
/** The effective limits of the vault as a whole, and of users who have one. */
export interface Quota {
  vault: Limit
  users: ReadonlyMap<number, Limit>
}

export function newQuota(): Quota {
  return { vault: BOUNDLESS, users: new Map() }
}

/** No limit; also compared by identity. */
export const BOUNDLESS: Limit = { bytes: Number.POSITIVE_INFINITY, files: Number.POSITIVE_INFINITY }
