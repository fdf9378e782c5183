// Where sockets, logs and mount points live (vault-names.ts: vaults). Everything is derived from the environment that is
// passed in, so tests need not change their own.
//
//   sockets   $XDG_RUNTIME_DIR/avfs, else /run/user/UID/avfs, else /tmp/avfs-UID
//   logs      $XDG_STATE_HOME/avfs (~/.local/state/avfs)

import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, realpathSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { ControlError } from './errors.ts'
import type { Environment } from './vault-names.ts'

/** sun_path of unix(7) holds 108 bytes with its NUL. */
const SOCKET_PATH_BYTES_MAX = 107

/** The directory of this user's sockets; made, with mode 0700, if it is missing. Throws if someone else owns it. */
export function runtimeDirectory(env: Environment = process.env): string {
  const directory = ownRuntimeDirectory(env)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  // /tmp is for everyone: a directory that another user put there would hand him the socket.
  const found = lstatSync(directory)
  if (!found.isDirectory() || found.uid !== userId() || (found.mode & 0o022) !== 0) {
    throw new ControlError(
      'failed',
      `${directory} must be a directory of your own that nobody else can write`,
      directory,
    )
  }
  return directory
}

function ownRuntimeDirectory(env: Environment): string {
  if (env.XDG_RUNTIME_DIR) return join(env.XDG_RUNTIME_DIR, 'avfs')
  const user = join('/run/user', `${userId()}`)
  return existsSync(user) ? join(user, 'avfs') : join(tmpdir(), `avfs-${userId()}`)
}

/** The socket of the daemon that serves `mountPoint`, and so the way from a mount point to its daemon. */
export function socketPath(mountPoint: string, env: Environment = process.env): string {
  const path = join(runtimeDirectory(env), socketName(mountPoint))
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
    throw new ControlError('failed', `XDG_RUNTIME_DIR is too long for a socket: ${path}`, path)
  }
  return path
}

/** Where the socket of `mountPoint` may be when user `uid` mounted it, perhaps in another environment than this one. */
export function socketCandidates(
  mountPoint: string,
  uid: number | undefined,
  env: Environment = process.env,
): string[] {
  const users = uid === undefined || uid === userId() ? [userId()] : [userId(), uid]
  const directories = users.flatMap((user) => [
    ...(user === userId() && env.XDG_RUNTIME_DIR ? [join(env.XDG_RUNTIME_DIR, 'avfs')] : []),
    join('/run/user', `${user}`, 'avfs'),
    join(tmpdir(), `avfs-${user}`),
  ])
  return directories.map((directory) => join(directory, socketName(mountPoint)))
}

function socketName(mountPoint: string): string {
  return `${createHash('sha256').update(mountPoint).digest('hex').slice(0, 24)}.sock`
}

/** Where a daemon in the background writes its log unless told otherwise; the directory is made if it is missing. */
export function logPath(name: string, env: Environment = process.env): string {
  const directory = join(env.XDG_STATE_HOME || join(homeOf(env), '.local', 'state'), 'avfs')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  return join(directory, `${name}.log`)
}

/**
 * The absolute, link-free path of a mount point. Only its parent is looked up: the directory itself may be a dead mount,
 * whose every lookup fails.
 */
export function mountPointPath(given: string): string {
  const path = resolve(given)
  if (path === '/') return path
  try {
    return realpathSync(path)
  } catch {
    return join(realpathOrSelf(dirname(path)), basename(path))
  }
}

function realpathOrSelf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

function homeOf(env: Environment): string {
  return env.HOME || homedir()
}

function userId(): number {
  return process.getuid?.() ?? 0
}
