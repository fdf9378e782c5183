// One writer a vault: the file <vault>.lock, held with flock(2) by whoever has the vault open, tells the others who
// that is. The kernel lets go of the lock when its holder dies, so a lock file that can be locked is a leftover, whatever it says.
// Knows nothing of what a vault is.

import { createHash } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EAGAIN, errnoName } from '../base/errno.ts'
import { addon } from '../base/native.ts'
import { isWritablePlace } from '../store/read-only-place.ts'
import { ControlError, systemCode } from './errors.ts'
import { MOUNT_TYPE, mountAt } from './mount-table.ts'
import { runtimeDirectory } from './paths.ts'

/** Who holds a vault; `mountPoint` and `socket` are null for a command that opened it for a moment. `since` is ISO 8601. */
export interface LockHolder {
  readonly pid: number
  readonly host: string
  readonly mountPoint: string | null
  readonly socket: string | null
  readonly since: string
}

/** A held lock. `leftover` is what a holder that died without a clean close had written. */
export interface Lock {
  readonly leftover: LockHolder | undefined
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
const PROBE_RETRIES = 5
const PROBE_WAIT_MS = 20

/** 'process 12, which has it mounted at /mnt/x' */
function describeHolder(holder: LockHolder): string {
  const where = holder.host === hostname() ? '' : ` on ${holder.host}`
  const what = holder.mountPoint === null ? 'has it open' : `has it mounted at ${holder.mountPoint}`
  return `process ${holder.pid}${where} ${what}`
}

/** True when the holder has the vault mounted here; else it is starting, closing, or a command that is soon done. */
export function isServing({ host, mountPoint }: LockHolder): boolean {
  if (host !== hostname()) return true
  return mountPoint !== null && mountAt(mountPoint)?.type === MOUNT_TYPE
}

/** Path of the lock file of a vault: beside it, or where nothing can be written in a folder of this user's own. */
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
    return !flock(fd, 'shared')
  } finally {
    closeSync(fd)
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    if (systemCode(error) !== 'EACCES') throw error
    throw new ControlError('locked', `another user has the vault open, or had (${path})`, path)
  }
}

/** Takes the lock of the vault, for as long as this process lives or until release(). Throws LockedError when it is held. */
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
    const fd = openSync(path, 'a+', 0o600)
    try {
      if (flock(fd, 'exclusive')) {
        // The former holder may have removed the file after we opened it: then the lock we hold protects nothing.
        if (isStillNamed(fd, path)) return hold(fd, path, at)
      } else if (attempt >= PROBE_RETRIES) {
        throw new LockedError(vaultPath, readHolder(path) ?? unknownHolder)
      }
    } catch (error) {
      closeSync(fd)
      throw error
    }
    closeSync(fd)
    await sleep(PROBE_WAIT_MS)
  }
}

/** Who holds the vault now, or undefined. */
export function lockHolder(vaultPath: string): LockHolder | undefined {
  const path = lockPath(vaultPath)
  const fd = openIfThere(path)
  if (fd === undefined) return undefined
  try {
    return flock(fd, 'shared') ? undefined : (readHolder(path) ?? unknownHolder)
  } finally {
    closeSync(fd)
  }
}

function hold(
  fd: number,
  path: string,
  at: { readonly mountPoint: string | null; readonly socket: string | null },
): Lock {
  const leftover = readHolder(path)
  const holder: LockHolder = {
    pid: process.pid,
    host: hostname(),
    mountPoint: at.mountPoint,
    socket: at.socket,
    since: new Date().toISOString(),
  }
  ftruncateSync(fd)
  writeSync(fd, `${JSON.stringify(holder)}\n`)
  let held = true
  const release = (): void => {
    if (!held) return
    held = false
    unlinkSync(path)
    closeSync(fd)
  }
  return { leftover, release }
}

const unknownHolder: LockHolder = {
  pid: 0,
  host: hostname(),
  mountPoint: null,
  socket: null,
  since: new Date(0).toISOString(),
}

function readHolder(path: string): LockHolder | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'))
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
  try {
    return fstatSync(fd).ino === statSync(path).ino
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false
    throw error
  }
}

/** flock(2) without waiting: true when the lock is ours, false when someone's is in the way. */
function flock(fd: number, kind: 'exclusive' | 'shared'): boolean {
  const { flock: call } = addon()
  const result = call(fd, kind === 'exclusive' ? 1 : 0)
  if (result === 0) return true
  if (result === -EAGAIN) return false
  throw new ControlError('failed', `flock: ${errnoName(-result)}`)
}
