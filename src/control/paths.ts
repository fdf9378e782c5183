// Where vaults, sockets and logs live. Everything is derived from the environment that is passed in, so tests need not
// change their own.
//
//   vaults    $AVFS_HOME, else ~/.avfs/vaults when it exists, else $XDG_DATA_HOME/avfs/vaults (~/.local/share/avfs/vaults)
//   sockets   $XDG_RUNTIME_DIR/avfs, else /run/user/UID/avfs, else /tmp/avfs-UID
//   logs      $XDG_STATE_HOME/avfs (~/.local/state/avfs)

import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readdirSync, realpathSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { backends, persistentBackends } from '../store/open.ts'
import { ControlError } from './errors.ts'
import { hasNote } from './migration-note.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** What follows the name of a vault in the name of its file, by engine; the default's first. */
const suffixes = persistentBackends.map(({ suffix }) => suffix)
const SUFFIX_DEFAULT = suffixes[0] ?? ''

/** A vault as the user names it: `name` for people (df shows it), `path` of its file, absolute. It need not exist. */
export interface VaultPlace {
  readonly name: string
  readonly path: string
}

const NAME = /^[A-Za-z0-9_][A-Za-z0-9._@+-]*$/
/** Leaves room for suffixes (.avfs-wal, .avfs.lock) below NAME_MAX. */
const NAME_LENGTH_MAX = 200
/** sun_path of unix(7) holds 108 bytes with its NUL. */
const SOCKET_PATH_BYTES_MAX = 107

/** The directory of the vaults that are named without a slash. Need not exist. */
export function vaultsDirectory(env: Environment = process.env): string {
  if (env.AVFS_HOME) return resolve(env.AVFS_HOME)
  const home = homeOf(env)
  const classic = join(home, '.avfs', 'vaults')
  if (existsSync(classic)) return classic
  return join(env.XDG_DATA_HOME || join(home, '.local', 'share'), 'avfs', 'vaults')
}

/**
 * Where the vault `given` is or would be: a plain name below `vaultsDirectory`, a name with a slash anywhere, with or
 * without its suffix. One that is not there would be of the engine `backend`. Throws ControlError 'name', also when two
 * vaults have the name and neither is in the middle of a migration.
 */
export function vaultPlace(
  given: string,
  env: Environment = process.env,
  backend?: string,
): VaultPlace {
  const isPath = given.includes('/')
  if (isPath && (given.endsWith('/') || given.includes('\0'))) {
    throw new ControlError('name', `'${given}' names a directory, not a vault`)
  }
  const base = isPath ? resolve(given) : join(vaultsDirectory(env), given)
  if (isPath && suffixOf(base) === '' && existsSync(base))
    return { name: basename(base), path: base }
  const name = isPath ? vaultName(base) : vaultName(given)
  if (!isPath && (!NAME.test(name) || name.length > NAME_LENGTH_MAX)) {
    throw new ControlError(
      'name',
      `'${given}' is not a name for a vault: use letters, digits and . _ - @ + (the first a letter, digit or _), ` +
        `at most ${NAME_LENGTH_MAX}; a path with a slash names a vault anywhere`,
    )
  }
  if (suffixOf(base) !== '') return { name, path: base }
  const found = namesakes(base)
  const path = found.length > 1 ? meant(given, found) : found[0]
  const suffix = backends.find((its) => its.name === backend)?.suffix ?? SUFFIX_DEFAULT
  return { name, path: path ?? base + suffix }
}

/** The name of the vault at a path: its last part without what tells the engine. */
export function vaultName(path: string): string {
  return basename(path, suffixOf(path))
}

/** The paths that a vault has on each engine, if they are there with `ending` behind; `base` has no suffix. */
export function namesakes(base: string, ending = ''): string[] {
  return suffixes.map((suffix) => base + suffix).filter((path) => existsSync(path + ending))
}

/** What tells the engine at the end of a path; '' if nothing does. */
export function suffixOf(path: string): string {
  return suffixes.find((suffix) => path.endsWith(suffix) && basename(path) !== suffix) ?? ''
}

/** A path beside a vault for the same as it was, of which nothing is there: NAME.WORD with its own ending. */
export function freePath(path: string, word: string): string {
  const suffix = suffixOf(path)
  const base = path.slice(0, path.length - suffix.length)
  for (let count = 1; ; count++) {
    const free = `${base}.${word}${count === 1 ? '' : `-${count}`}${suffix}`
    if (!existsSync(free)) return free
  }
}

/** A vault that is being migrated counts until it is gone. */
function meant(given: string, found: readonly string[]): string {
  const migrated = found.find(hasNote)
  if (migrated !== undefined) return migrated
  throw new ControlError(
    'name',
    `'${given}' can be ${found.join(' or ')}: name one with its ending`,
  )
}

/** Like vaultPlace, of a vault that exists. Throws ControlError 'missing', saying how to create it. */
export function existingVault(given: string, env: Environment = process.env): VaultPlace {
  const place = vaultPlace(given, env)
  if (!existsSync(place.path)) {
    throw new ControlError(
      'missing',
      `there is no vault '${given}' (${place.path}); create it with: avfs vault create ${given}`,
      place.path,
    )
  }
  return { name: place.name, path: realpathSync(place.path) }
}

/** The vaults of `vaultsDirectory`, by name. */
export function listVaults(env: Environment = process.env): VaultPlace[] {
  const directory = vaultsDirectory(env)
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((file) => suffixOf(file) !== '')
    .sort()
    .map((file) => ({ name: vaultName(file), path: join(directory, file) }))
}

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
