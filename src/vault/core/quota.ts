// Quotas: limits on what a vault holds and on what a user owns in it. Checked before an operation
// has changed anything. Only growth is refused, since a limit may lie below what exists. What
// counts is the owner of what grows, not the caller; root is limited like any user, because agents
// often run as root.

import { EDQUOT, fail } from '../../base/errno.ts'
import { amountOf, configured, configuredUsers, sizeBytes } from './configuration.ts'
import type { Core } from './core.ts'
import type { Inode } from './inode.ts'
import { BOUNDLESS, type Limit } from './quota-limits.ts'
import { chargeOf, type Used } from './usage.ts'

/** A limit, and what is used of it. */
interface Allowance {
  readonly limit: Limit
  readonly used: Used
}

/** Reads the settings. Called when a vault is opened, and after `configure`. */
export function refreshQuota(core: Core): void {
  const { quota, diskSpace: room } = core
  const [all, inodes] = [configured(core, 'quota'), configured(core, 'quota.files')]
  quota.vault = all === '' && inodes === '' ? BOUNDLESS : limitOf(all, inodes)
  const bytes = configuredUsers(core, 'quota.user.')
  const files = configuredUsers(core, 'quota.user-files.')
  quota.users = new Map(
    [...new Set([...bytes.keys(), ...files.keys()])].map((uid) => [
      uid,
      limitOf(bytes.get(uid) ?? '', files.get(uid) ?? ''),
    ]),
  )
  room.limit = configured(core, 'quota.history') === 'on' ? quota.vault.bytes : BOUNDLESS.bytes
}

function limitOf(bytes: string, files: string): Limit {
  return {
    bytes: sizeBytes(bytes) ?? BOUNDLESS.bytes,
    files: amountOf(files) ?? BOUNDLESS.files,
  }
}

/** Checks that a user may own `more` bytes of content and inodes. Throws EDQUOT. */
export function admit(core: Core, uid: number, more: Used): void {
  assertAllowed(core, uid, more, more.bytes > 0)
}

/**
 * As `admit`, for an inode that grows by `bytes` and replaces `freed`, which is deleted then.
 * `built`: what the new inode is charged so far, if it exists. Throws EDQUOT.
 */
export function admitInstead(
  core: Core,
  uid: number,
  bytes: number,
  freed: Inode | undefined,
  built?: number,
): void {
  const isOwn = freed?.uid === uid
  const free = isOwn ? chargeOf(freed) : 0
  const files = isOwn || built !== undefined ? 0 : 1
  assertAllowed(core, uid, { bytes: bytes - free, files }, (built ?? 0) + bytes > free)
}

function assertAllowed(core: Core, uid: number, more: Used, isGrowing: boolean): void {
  const { vault, users } = core.quota
  assertWithin(vault, core.usage.total, more, isGrowing)
  const own = users.get(uid)
  if (own !== undefined) assertWithin(own, core.usage.of(uid), more, isGrowing)
}

/** Whether any limit applies to a user. */
export function isLimited({ quota }: Core, uid: number): boolean {
  return quota.vault !== BOUNDLESS || quota.users.has(uid)
}

/**
 * How many more bytes a user may own; Infinity without a limit, negative when more is used than
 * allowed.
 */
export function left(core: Core, uid: number): number {
  return Math.min(...allowances(core, uid).map(({ limit, used }) => limit.bytes - used.bytes))
}

/** Checks that a user may become the owner of an inode. Throws EDQUOT. */
export function admitOwner(core: Core, inode: Inode, uid: number): void {
  const own = uid === inode.uid ? undefined : core.quota.users.get(uid)
  const bytes = chargeOf(inode)
  if (own !== undefined) assertWithin(own, core.usage.of(uid), { bytes, files: 1 }, bytes > 0)
}

function assertWithin(limit: Limit, used: Used, more: Used, isGrowing: boolean): void {
  if (isGrowing && used.bytes + more.bytes > limit.bytes) fail(EDQUOT)
  if (more.files > 0 && used.files + more.files > limit.files) fail(EDQUOT)
}

/** The limits that apply to a user: the vault's and then, if there is one, the user's own. */
export function allowances(core: Core, uid: number): Allowance[] {
  const { quota, usage, diskSpace: room } = core
  const bytes = Math.max(usage.total.bytes, room.limit < BOUNDLESS.bytes ? room.taken : 0)
  const ofVault = { limit: quota.vault, used: { bytes, files: usage.total.files } }
  const own = quota.users.get(uid)
  return own === undefined ? [ofVault] : [ofVault, { limit: own, used: usage.of(uid) }]
}
