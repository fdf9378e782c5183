// Making and ending the mount: mount(2) as root, the setuid helper fusermount3 for others, and the
// remains of a daemon that died. Gives a descriptor to device.ts; knows nothing of what is said
// over it.

import { spawnSync } from 'node:child_process'
import { closeSync, statSync } from 'node:fs'
import { errnoName } from '../base/errno.ts'
import { REQUEST_BYTES_MAX } from '../base/limits.ts'
import { log } from '../base/log.ts'
import { addon } from '../base/native.ts'
import { readMountOptions } from './mount-options.ts'

const TYPE = 'avfs'
const HELPER = 'fusermount3'
/** Where the helper finds its end of the socket: its first descriptor after standard error. */
const HELPER_SOCKET = 3

/** A mount that cannot be made or ended; the message says what to do. */
class MountError extends Error {
  override readonly name = 'MountError'
}

interface MountRequest {
  /** What df and findmnt show as the source. */
  readonly source: string
  /** An existing directory, as an absolute path without symbolic links. */
  readonly directory: string
  readonly readOnly?: boolean
  /** Lets users other than the one who mounts in; permissions are then checked as everywhere. */
  readonly allowOther?: boolean
  /** Options of mount(8), each a comma-separated list. */
  readonly options?: readonly string[]
}

/**
 * Mounts, and returns the descriptor of /dev/fuse, open and non-blocking, over which the kernel now
 * asks.
 */
export function mount(request: MountRequest): number {
  const { source, directory } = request
  const read = readMountOptions([...(request.options ?? []), request.readOnly === true ? 'ro' : ''])
  if (read.unknown.length > 0) log('warn', `mount options ignored: ${read.unknown.join(',')}`)
  const allowOther = read.allowOther || request.allowOther === true
  const common = ['default_permissions', `max_read=${REQUEST_BYTES_MAX}`]
  if (allowOther) common.push('allow_other')
  if (process.getuid?.() === 0) return mountAsRoot(source, directory, read.flags, common)
  const named = [`fsname=${escapeCommas(source)}`, `subtype=${TYPE}`]
  return mountByHelper(directory, [...read.helperOptions, ...common, ...named])
}

function mountAsRoot(
  source: string,
  directory: string,
  flags: number,
  options: readonly string[],
): number {
  const ids = ['rootmode=40000', `user_id=${process.getuid?.()}`, `group_id=${process.getgid?.()}`]
  const data = [...ids, ...options].join(',')
  const fd = addon().mount(source, `fuse.${TYPE}`, directory, flags, data)
  if (fd < 0) throw new MountError(`mounting at ${directory} failed: ${errnoName(-fd)}`)
  return fd
}

// The helper sends the descriptor and ends; the socket keeps it until it is fetched.
function mountByHelper(directory: string, options: readonly string[]): number {
  const sockets = addon().socketpair()
  if (typeof sockets === 'number') throw new MountError(`no socket pair: ${errnoName(-sockets)}`)
  const [ours, theirs] = sockets
  try {
    runHelper(['-o', options.join(','), '--', directory], theirs)
    const fd = addon().receiveDescriptor(ours)
    if (fd < 0) throw new MountError(`${HELPER} sent no descriptor: ${errnoName(-fd)}`)
    return fd
  } finally {
    closeSync(ours)
    closeSync(theirs)
  }
}

/**
 * Ends a mount; `lazy` also one that is in use, which then goes on for those who use it. Throws
 * MountError: a busy mount says EBUSY.
 */
export function unmount(directory: string, lazy: boolean): void {
  if (process.getuid?.() !== 0) {
    runHelper(['-u', ...(lazy ? ['-z'] : []), '--', directory])
    return
  }
  const result = addon().unmount(directory, lazy ? 1 : 0)
  if (result < 0) throw new MountError(`unmounting ${directory} failed: ${errnoName(-result)}`)
}

function runHelper(args: readonly string[], socket?: number): void {
  const result = spawnSync(HELPER, args, {
    stdio: ['ignore', 'ignore', 'pipe', ...(socket === undefined ? [] : [socket])],
    env: { ...process.env, _FUSE_COMMFD: String(HELPER_SOCKET) },
    encoding: 'utf8',
  })
  if (result.error !== undefined) {
    throw new MountError(`${HELPER} is missing: install the package fuse3`, { cause: result.error })
  }
  if (result.status !== 0) {
    throw new MountError(result.stderr.trim() || `${HELPER} failed with status ${result.status}`)
  }
}

/**
 * Unmounts a directory whose daemon died (every call there says ENOTCONN). Returns whether there
 * was such a mount.
 */
export function clearDeadMount(directory: string): boolean {
  try {
    statSync(directory)
    return false
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOTCONN')) return false
  }
  unmount(directory, true)
  log('warn', `cleared a dead mount at ${directory}`)
  return true
}

/** fusermount3 splits at commas, and takes a backslash before one. */
function escapeCommas(value: string): string {
  return value.replace(/[\\,]/g, '\\$&')
}
