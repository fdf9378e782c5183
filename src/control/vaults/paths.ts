// The locations of sockets, logs and mount points (of vaults: vault-names.ts). They are derived
// from the environment that is passed in, so tests need not change their own.
//
//   sockets   $XDG_RUNTIME_DIR/avfs, else /run/user/UID/avfs, else for root /run/avfs, else run in
//             the directory of logs
//   logs      $XDG_STATE_HOME/avfs (~/.local/state/avfs)
//
// None of these may be writable or replaceable by another user.

import { createHash } from 'node:crypto'
import { mkdirSync, realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { homeOfUser } from '../../base/accounts.ts'
import { assertOwnFolder, isOwnFolder, ownUser } from '../../base/own-files.ts'
import { ControlError } from '../wire/errors.ts'
import { absolute, type Environment, homeOf } from './vault-names.ts'

/** sun_path of unix(7) holds 108 bytes including the NUL. */
const SOCKET_PATH_BYTES_MAX = 107
const ROOT_DIRECTORY = '/run/avfs'
/** Name of the directory of sockets in the directory of logs. */
const RUN = 'run'

/**
 * The directory of this user's sockets; created with mode 0700 if missing. Throws StrangerError
 * unless only this user can change it.
 */
export function runtimeDirectory(env: Environment = process.env): string {
  return made(ownRuntimeDirectory(env), 'XDG_RUNTIME_DIR')
}

function ownRuntimeDirectory(env: Environment): string {
  const runtime = absolute(env.XDG_RUNTIME_DIR)
  if (runtime !== undefined) return join(runtime, 'avfs')
  const user = join('/run/user', `${ownUser()}`)
  if (isOwnFolder(user)) return join(user, 'avfs')
  if (ownUser() === 0 && isOwnFolder('/run')) return ROOT_DIRECTORY
  return join(stateDirectory(env), RUN)
}

/** The socket of the daemon that serves `mountPoint`. */
export function socketPath(mountPoint: string, env: Environment = process.env): string {
  const path = join(runtimeDirectory(env), socketName(mountPoint))
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
    throw new ControlError(
      'failed',
      `the path is too long for a socket, set XDG_RUNTIME_DIR to a shorter directory: ${path}`,
      path,
    )
  }
  return path
}

/**
 * Where the socket of `mountPoint` may be if user `uid` mounted it, perhaps in a different
 * environment.
 */
export function socketCandidates(
  mountPoint: string,
  uid: number | undefined,
  env: Environment = process.env,
): string[] {
  const runtime = absolute(env.XDG_RUNTIME_DIR)
  const own = runtime === undefined ? [] : [join(runtime, 'avfs')]
  const directories = [ownUser(), uid ?? ownUser()].flatMap((user) => [
    join('/run/user', `${user}`, 'avfs'),
    ...(user === 0 ? [ROOT_DIRECTORY] : []),
    ...stateOf(user, env).map((state) => join(state, RUN)),
  ])
  return [...new Set([...own, ...directories])].map((its) => join(its, socketName(mountPoint)))
}

/** The log directories that a user may have. */
function stateOf(user: number, env: Environment): string[] {
  if (user === ownUser()) return [statePath(env)]
  const home = homeOfUser(user)
  return home === undefined ? [] : [statePath({ HOME: home })]
}

function socketName(mountPoint: string): string {
  return `${createHash('sha256').update(mountPoint).digest('hex').slice(0, 24)}.sock`
}

/** The default log file of a background daemon; its directory is created if missing. */
export function logPath(name: string, env: Environment = process.env): string {
  return join(stateDirectory(env), `${name}.log`)
}

/**
 * The directory of logs; created with mode 0700 if missing. Throws StrangerError unless only this
 * user can change it.
 */
export function stateDirectory(env: Environment = process.env): string {
  return made(statePath(env), 'XDG_STATE_HOME')
}

function made(directory: string, variable: string): string {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    assertOwnFolder(directory)
    return directory
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const advice = `or set ${variable} to a directory that only you can write`
    throw new ControlError('failed', `${reason}, ${advice}`, directory, { cause: error })
  }
}

function statePath(env: Environment): string {
  return join(absolute(env.XDG_STATE_HOME) ?? join(homeOf(env), '.local', 'state'), 'avfs')
}

/**
 * The absolute, link-free path of a mount point. Only its parent is looked up: the directory itself
 * may be a dead mount, where every lookup fails.
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
