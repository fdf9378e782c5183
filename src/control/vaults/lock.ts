// One writer a vault: the file <vault>.lock, held with flock(2) by whoever has the vault open,
// tells the others who that is. The kernel lets go of the lock when its holder dies, so a lock file
// that can be locked is a leftover, whatever it says. What the file of a stranger says is not read.
// The vault is locked as well (vault-lock.ts). Knows nothing of what a vault is.

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
 * Who holds a vault; `mountPoint` and `socket` are null for a command that opened it for a moment.
 * `since` is ISO 8601.
 */
export interface LockHolder {
  readonly pid: number
  readonly host: string
  readonly mountPoint: string | null
  readonly socket: string | null
  readonly since: string
}

/** What is not where it was any more: the vault or its lock file, and where that was. */
export interface Missing {
  readonly of: 'vault' | 'lock'
  readonly path: string
  readonly how: Loss
}

/** A held lock. `leftover` is what a holder that died without a clean close had written. */
export interface Lock {
  readonly leftover: LockHolder | undefined
  /**
   * What became of the vault, or else of the lock file, since it was taken; undefined while both
   * are there.
   */
  loss(): Missing | undefined
  /** To be called after an engine has put another file in the vault's place. */
  renew(): void
  /** Removes the lock file and lets go; idempotent. Call it after the vault is closed. */
  release(): void
}

/** Someone else has the vault open; `holder` says who. */
export class LockedError extends ControlError {
  readonly holder: LockHolder
  constructor(vaultPath: string, holder: LockHolder) {
    super('locked', `${vaultPath} is in use: ${describeHolder(holder)}`, vaultPath)
    this.name = 'LockedError'
    this.holder = holder
  }
}

/** A lock file is locked for an instant by those who only look; that must not pass for a holder. */
const HOLDER_BYTES_MAX = 64 * 1024
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
 * True when the holder has the vault mounted here; else it is starting, closing, or a command that
 * is soon done.
 */
export function isServing({ host, mountPoint }: LockHolder): boolean {
  if (host !== hostname()) return true
  return mountPoint !== null && mountAt(mountPoint)?.type === MOUNT_TYPE
}

/**
 * Path of the lock file of a vault: beside it, or where nothing can be written in a folder of this
 * user's own.
 */
export function lockPath(vaultPath: string): string {
  const beside = `${vaultPath}.lock`
  if (isWritablePlace(vaultPath) || isHeld(beside)) return beside
  const name = createHash('sha256').update(vaultPath).digest('hex').slice(0, 24)
  return join(runtimeDirectory(), `${name}.lock`)
}

/** Whether somebody who can write there has it. */
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
 * Takes the lock of the vault, for as long as this process lives or until release(). Throws
 * LockedError when it is held.
 */
export async function acquireLock(
  vaultPath: string,
  at: { readonly mountPoint: string | null; readonly socket: string | null },
): Promise<Lock> {
  for (let attempt = 0; ; attempt++) {
    const path = lockPath(vaultPath)
    const holder = isWritablePlace(vaultPath) ? undefined : lockHolder(vaultPath)
    // A lock that somebody else may write, and this process not.
    if (holder !== undefined && attempt >= PROBE_RETRIES) throw new LockedError(vaultPath, holder)
    if (holder !== undefined) {
      await sleep(PROBE_WAIT_MS)
      continue
    }
    const fd = openToHold(path)
    try {
      if (isOurs(fd, 'exclusive')) {
        // The former holder may have removed the file after we opened it: then the lock we hold
        // protects nothing. One that has a name elsewhere (a backup of links) is not written.
        if (isLockFile(fd, path)) {
          const vault = lockVault(vaultPath)
          if (vault !== undefined) return hold(vaultPath, fd, path, vault, at)
          // Nobody is told of in this one.
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
 * Whether an open file whose lock we hold is the one at `path`, and that alone. Removes a name that
 * it shares with others.
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
  // Who can read it can lock it.
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

/** What the lock file says, unless it is a stranger's. */
function readHolder(fd: number, path: string): LockHolder | undefined {
  try {
    if (!isOwnFile(fstatSync(fd), path)) return undefined
    const parsed: unknown = JSON.parse(readText(fd, HOLDER_BYTES_MAX, path))
    return isHolder(parsed) ? parsed : undefined
  } catch {
    // Gone, or its holder is just writing it.
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
 * Takes a lock unless somebody's is in the way. Throws ControlError where a file cannot be locked.
 */
function isOurs(fd: number, kind: 'exclusive' | 'shared'): boolean {
  const got = flock(fd, kind)
  if (got !== 'none') return got === 'ours'
  const message = 'the file system of the vault has no locks: nobody else could be kept from it'
  throw new ControlError('failed', message)
}
