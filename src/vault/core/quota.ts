// Quotas: what may be in a vault, and what a user may own of it, as the settings say. Asked before
// an operation has changed anything. Only what grows is refused: a limit may lie below what is
// there already. Whoever asks counts for nothing, but the owner of what grows does, root as anybody
// else, because an agent often is root.

import { EDQUOT, fail } from '../../base/errno.ts'
import { amountOf, configured, configuredUsers, sizeBytes } from './configuration.ts'
import type { Core } from './core.ts'
import type { Inode } from './inode.ts'
import { BOUNDLESS, type Limit } from './quota-limits.ts'
import { chargeOf, type Used } from './usage.ts'

/** What a limit leaves. */
interface Allowance {
  readonly limit: Limit
  readonly used: Used
}

/** Takes over what is configured. Called when a vault is opened, and after `configure`. */
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

/** Lets what a user owns grow by bytes of content and by inodes. Throws EDQUOT. */
export function admit(core: Core, uid: number, more: Used): void {
  assertAllowed(core, uid, more, more.bytes > 0)
}

/**
 * Lets an inode grow by bytes of content that will take the place of `freed`, which goes then;
 * without one it is as `admit`. `built`: what is charged for it so far, if it is there. Throws
 * EDQUOT.
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

/** Whether anything limits what a user owns. */
export function isLimited({ quota }: Core, uid: number): boolean {
  return quota.vault !== BOUNDLESS || quota.users.has(uid)
}

/**
 * How many bytes more a user may own; Infinity without a limit, below 0 where there is less room
 * than is used.
 */
export function left(core: Core, uid: number): number {
  return Math.min(...allowances(core, uid).map(({ limit, used }) => limit.bytes - used.bytes))
}

/** Lets a user become the owner of an inode. Throws EDQUOT. */
export function admitOwner(core: Core, inode: Inode, uid: number): void {
  const own = uid === inode.uid ? undefined : core.quota.users.get(uid)
  const bytes = chargeOf(inode)
  if (own !== undefined) assertWithin(own, core.usage.of(uid), { bytes, files: 1 }, bytes > 0)
}

function assertWithin(limit: Limit, used: Used, more: Used, isGrowing: boolean): void {
  if (isGrowing && used.bytes + more.bytes > limit.bytes) fail(EDQUOT)
  if (more.files > 0 && used.files + more.files > limit.files) fail(EDQUOT)
}

/** What holds for a user: the vault's limit and then, if there is one, the user's own. */
export function allowances(core: Core, uid: number): Allowance[] {
  const { quota, usage, diskSpace: room } = core
  const bytes = Math.max(usage.total.bytes, room.limit < BOUNDLESS.bytes ? room.taken : 0)
  const ofVault = { limit: quota.vault, used: { bytes, files: usage.total.files } }
  const own = quota.users.get(uid)
  return own === undefined ? [ofVault] : [ofVault, { limit: own, used: usage.of(uid) }]
}
