// The lock on the vault itself, beside that on its lock file: who removes a lock file, or has the
// vault under another name, gets no second writer all the same. flock(2) knows nothing of the locks
// of fcntl(2) that engines set.

import { closeSync, constants, openSync, statfsSync } from 'node:fs'
import { isWritablePlace } from '../../store/read-only-place.ts'
import { flock } from '../host/flock.ts'
import { Identity, type Loss } from '../host/identity.ts'
import { systemCode } from '../wire/errors.ts'

const { O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants

/**
 * File systems whose flock(2) is one of the server, and shuts out the engine's own locks or the
 * reads of others: NFS, CIFS, SMB2, SMB, 9p, Ceph. See magic.h of the kernel.
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

  /** What became of the vault since it was locked. */
  loss(): Loss | undefined {
    return this.#identity?.loss()
  }

  /** After an engine has put another file in its place: locks that one. */
  renew(): void {
    const before = this.#identity
    // To open the same file once more and close it would take the engine's locks away.
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
 * Locks the vault at `path`, a path without links; one that is not there yet is not locked.
 * Undefined when another process has it. One that cannot be written is only looked at, so that many
 * may read it.
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
    // The engine says what is wrong with it.
    if (['ENOENT', 'EACCES', 'ELOOP', 'ENXIO'].includes(systemCode(error) ?? '')) return undefined
    throw error
  }
}

function hasOwnLocks(path: string): boolean {
  return !ELSEWHERE.has(statfsSync(path).type)
}
