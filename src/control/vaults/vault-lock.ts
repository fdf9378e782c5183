// A lock on the vault itself, in addition to that on its lock file: removing the lock file, or
// opening the vault by another name, does not admit a second writer. flock(2) does not interfere
// with the fcntl(2) locks of engines.

import { closeSync, constants, openSync, statfsSync } from 'node:fs'
import { isWritablePlace } from '../../store/read-only-place.ts'
import { flock } from '../host/flock.ts'
import { Identity, type Loss } from '../host/identity.ts'
import { systemCode } from '../wire/errors.ts'

const { O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants

/**
 * File systems whose flock(2) works on the server and conflicts with the engine's own locks or with
 * other readers: NFS, CIFS, SMB2, SMB, 9p, Ceph. See the kernel's magic.h.
 */
const ELSEWHERE = new Set([0x6969, 0xff534d42, 0xfe534d42, 0x517b, 0x01021997, 0x00c36400])

/** A vault that is locked. */
export class VaultLock {
  readonly #path: string
  #identity: Identity | undefined

  constructor(path: string, identity: Identity | undefined) {
    this.#path = path
    this.#identity = identity
  }

  /** What happened to the vault since it was locked. */
  loss(): Loss | undefined {
    return this.#identity?.loss()
  }

  /** Locks the file that an engine has put in the vault's place. */
  renew(): void {
    const before = this.#identity
    // Opening and closing the same file again would release the engine's locks.
    if (this.loss() === undefined) return
    const locked = lockVault(this.#path)
    if (locked === undefined) return
    this.#identity = locked.#identity
    before?.close()
  }

  release(): void {
    this.#identity?.close()
    this.#identity = undefined
  }
}

/**
 * Locks the vault at `path`, a path without links; a missing one is not locked. Undefined if
 * another process holds it. A vault that cannot be written is only checked, so that many may read
 * it.
 */
export function lockVault(path: string): VaultLock | undefined {
  const fd = opened(path)
  if (fd === undefined) return new VaultLock(path, undefined)
  if (!hasOwnLocks(path)) return new VaultLock(path, new Identity(path, fd))
  const isWriter = isWritablePlace(path)
  const isFree = flock(fd, isWriter ? 'exclusive' : 'shared') !== 'held'
  if (isFree && isWriter) return new VaultLock(path, new Identity(path, fd))
  closeSync(fd)
  return isFree ? new VaultLock(path, undefined) : undefined
}

function opened(path: string): number | undefined {
  try {
    return openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
  } catch (error) {
    // The engine will report what is wrong.
    if (['ENOENT', 'EACCES', 'ELOOP', 'ENXIO'].includes(systemCode(error) ?? '')) return undefined
    throw error
  }
}

function hasOwnLocks(path: string): boolean {
  return !ELSEWHERE.has(statfsSync(path).type)
}
