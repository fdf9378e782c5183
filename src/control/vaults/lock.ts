// One writer per vault. Whoever has the vault open holds the file <vault>.lock with flock(2), and
// the file says who that is. The kernel releases the lock when its holder dies, so a lock file that
// is not locked is a leftover, whatever it says. Lock files of untrusted users are not read. The
// vault itself is locked, too (vault-lock.ts). Knows nothing of what a vault is.

import { createHash } from 'node:crypto'
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isOwnFile, openNamed, openOwn, readText } from '../../base/own-files.ts'
import { isWritablePlace } from '../../store/read-only-place.ts'
import { flock } from '../host/flock.ts'
import { Identity, type Loss } from '../host/identity.ts'
import { MOUNT_TYPE, mountAt } from '../host/mount-table.ts'
import { ControlError, systemCode } from '../wire/errors.ts'
import { runtimeDirectory } from './paths.ts'
import { lockVault, type VaultLock } from './vault-lock.ts'

/**
 * Who holds a vault; `mountPoint` and `socket` are null for a command that opened it briefly.
 * `since` is ISO 8601.
 */
export interface LockHolder {
  readonly pid: number
  readonly host: string
  readonly mountPoint: string | null
  readonly socket: string | null
  readonly since: string
}

/** What is missing from its place, the vault or its lock file, and where that was. */
export interface Missing {
  readonly of: 'vault' | 'lock'
  readonly path: string
  readonly how: Loss
}

/** A held lock. `leftover` is what a holder that died had written. */
export interface Lock {
  readonly leftover: LockHolder | undefined
  /**
   * What happened to the vault, or else to the lock file, since it was taken; undefined while both
   * are in place.
   */
  loss(): Missing | undefined
  /** Must be called after an engine has replaced the vault's file. */
  renew(): void
  /** Removes the lock file and releases the lock; idempotent. Call it after the vault is closed. */
  release(): void
}

/** Another process has the vault open; `holder` says which. */
export class LockedError extends ControlError {
  readonly holder: LockHolder
  constructor(vaultPath: string, holder: LockHolder) {
    super('locked', `${vaultPath} is in use: ${describeHolder(holder)}`, vaultPath)
    this.name = 'LockedError'
    this.holder = holder
  }
}

const HOLDER_BYTES_MAX = 64 * 1024
/** Readers of a lock file lock it for an instant: retry, so that they do not pass for a holder. */
const PROBE_RETRIES = 5
const PROBE_WAIT_MS = 20

/** 'process 12, which has it mounted at /mnt/x' */
function describeHolder(holder: LockHolder): string {
  if (holder.pid === 0) return 'a process has it open of which the lock file does not tell'
  const where = holder.host === hostname() ? '' : ` on ${holder.host}`
  const what = holder.mountPoint === null ? 'has it open' : `has it mounted at ${holder.mountPoint}`
  return `process ${holder.pid}${where} ${what}`
}

/**
 * True if the holder has the vault mounted on this host (or runs on another); otherwise it is
 * starting, closing, or a short command.
 */
export function isServing({ host, mountPoint }: LockHolder): boolean {
  if (host !== hostname()) return true
  return mountPoint !== null && mountAt(mountPoint)?.type === MOUNT_TYPE
}

/**
 * The path of a vault's lock file: beside it, or in this user's own folder if nothing can be
 * written there.
 */
export function lockPath(vaultPath: string): string {
  const beside = `${vaultPath}.lock`
  if (isWritablePlace(vaultPath) || isHeld(beside)) return beside
  const name = createHash('sha256').update(vaultPath).digest('hex').slice(0, 24)
  return join(runtimeDirectory(), `${name}.lock`)
}

/** Whether a process that can write beside the vault holds it. */
function isHeld(path: string): boolean {
  const fd = openIfThere(path)
  if (fd === undefined) return false
  try {
    return !isOurs(fd, 'shared')
  } finally {
    closeSync(fd)
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openNamed(path, constants.O_RDONLY)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    if (systemCode(error) !== 'EACCES') throw error
    throw new ControlError('locked', `another user has the vault open, or had (${path})`, path)
  }
}

/**
 * Takes the lock of the vault until release() or the end of the process. Throws LockedError if it
 * is held.
 */
export async function acquireLock(
  vaultPath: string,
  at: { readonly mountPoint: string | null; readonly socket: string | null },
): Promise<Lock> {
  for (let attempt = 0; ; attempt++) {
    const path = lockPath(vaultPath)
    const holder = isWritablePlace(vaultPath) ? undefined : lockHolder(vaultPath)
    // The lock of a process that can write beside the vault, while this one cannot.
    if (holder !== undefined && attempt >= PROBE_RETRIES) throw new LockedError(vaultPath, holder)
    if (holder !== undefined) {
      await sleep(PROBE_WAIT_MS)
      continue
    }
    const fd = openToHold(path)
    try {
      if (isOurs(fd, 'exclusive')) {
        // If the former holder has removed the file since it was opened, our lock protects nothing.
        // A file with another hard link (a backup made of links) is not written.
        if (isLockFile(fd, path)) {
          const vault = lockVault(vaultPath)
          if (vault !== undefined) return hold(vaultPath, fd, path, vault, at)
          // It names no holder yet.
          if (fstatSync(fd).size === 0) unlinkSync(path)
          if (attempt >= PROBE_RETRIES) throw new LockedError(vaultPath, unknownHolder)
        }
      } else if (attempt >= PROBE_RETRIES) {
        throw new LockedError(vaultPath, readHolder(fd, path) ?? unknownHolder)
      }
    } catch (error) {
      closeSync(fd)
      throw error
    }
    closeSync(fd)
    await sleep(PROBE_WAIT_MS)
  }
}

function openToHold(path: string): number {
  const { O_APPEND, O_CREAT, O_RDWR } = constants
  try {
    return openOwn(path, O_RDWR | O_CREAT | O_APPEND)
  } catch (error) {
    if (systemCode(error) !== 'EACCES') throw error
    throw new ControlError('locked', `another user has the vault open, or had (${path})`, path)
  }
}

/**
 * Whether an open file whose lock we hold is the file at `path`, with no other link. Otherwise
 * removes a name that it shares with another.
 */
function isLockFile(fd: number, path: string): boolean {
  if (!isStillNamed(fd, path)) return false
  if (fstatSync(fd).nlink === 1) return true
  unlinkSync(path)
  return false
}

/** Who holds the vault now, or undefined. */
export function lockHolder(vaultPath: string): LockHolder | undefined {
  const path = lockPath(vaultPath)
  const fd = openIfThere(path)
  if (fd === undefined) return undefined
  try {
    return isOurs(fd, 'shared') ? undefined : (readHolder(fd, path) ?? unknownHolder)
  } finally {
    closeSync(fd)
  }
}

function hold(
  vaultPath: string,
  fd: number,
  path: string,
  vault: VaultLock,
  at: { readonly mountPoint: string | null; readonly socket: string | null },
): Lock {
  const leftover = readHolder(fd, path)
  const holder: LockHolder = {
    pid: process.pid,
    host: hostname(),
    mountPoint: at.mountPoint,
    socket: at.socket,
    since: new Date().toISOString(),
  }
  // Whoever can read it can lock it.
  fchmodSync(fd, 0o600)
  ftruncateSync(fd)
  writeSync(fd, `${JSON.stringify(holder)}\n`)
  const file = new Identity(path, fd)
  let held = true
  return {
    leftover,
    loss() {
      const ofVault = vault.loss()
      if (ofVault !== undefined) return { of: 'vault', path: vaultPath, how: ofVault }
      const ofLock = file.loss()
      return ofLock === undefined ? undefined : { of: 'lock', path, how: ofLock }
    },
    renew: () => vault.renew(),
    release() {
      if (!held) return
      held = false
      if (file.loss() === undefined) unlinkSync(path)
      file.close()
      vault.release()
    },
  }
}

const unknownHolder: LockHolder = {
  pid: 0,
  host: hostname(),
  mountPoint: null,
  socket: null,
  since: new Date(0).toISOString(),
}

/** The holder in a lock file, if the file is trusted. */
function readHolder(fd: number, path: string): LockHolder | undefined {
  try {
    if (!isOwnFile(fstatSync(fd), path)) return undefined
    const parsed: unknown = JSON.parse(readText(fd, HOLDER_BYTES_MAX, path))
    return isHolder(parsed) ? parsed : undefined
  } catch {
    // Removed, or its holder is just writing it.
    return undefined
  }
}

function isHolder(value: unknown): value is LockHolder {
  if (typeof value !== 'object' || value === null) return false
  const { pid, host, mountPoint, socket, since } = value as Record<string, unknown>
  return (
    typeof pid === 'number' &&
    typeof host === 'string' &&
    (mountPoint === null || typeof mountPoint === 'string') &&
    (socket === null || typeof socket === 'string') &&
    typeof since === 'string'
  )
}

function isStillNamed(fd: number, path: string): boolean {
  return new Identity(path, fd).loss() === undefined
}

/**
 * Takes a lock unless another process holds it. Throws ControlError if the file system has no
 * locks.
 */
function isOurs(fd: number, kind: 'exclusive' | 'shared'): boolean {
  const got = flock(fd, kind)
  if (got !== 'none') return got === 'ours'
  const message = 'the file system of the vault has no locks: nobody else could be kept from it'
  throw new ControlError('failed', message)
}
