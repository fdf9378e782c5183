// Finds the file or folder of a vault by its name: the suffix tells its engine, so that nothing has
// to be opened.
//
//   vaults    $AVFS_HOME, else ~/.avfs/vaults when it exists, else $XDG_DATA_HOME/avfs/vaults
//             (~/.local/share/avfs/vaults)
//
// A vault elsewhere gets a name by a link in that directory (`avfs vault create NAME --path FILE`).

import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs'
import { userInfo } from 'node:os'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { backendOf, persistentBackends } from '../../store/open.ts'
import { ControlError } from '../wire/errors.ts'
import { hasNote } from './migration-note.ts'
import { nameCopy } from './switch-files.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** A vault, which need not exist: `name` for people (shown by df), absolute `path`, its engine. */
export interface VaultPlace {
  readonly name: string
  readonly path: string
  readonly backend: string
}

const SUFFIXES = persistentBackends.map(({ suffix }) => suffix)
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._@+-]*$/
/** Leaves room for suffixes (.avfs-wal, .avfs.lock) within NAME_MAX. */
const NAME_LENGTH_MAX = 200

/** The directory of vaults whose names have no slash. Need not exist. */
export function vaultsDirectory(env: Environment = process.env): string {
  if (env.AVFS_HOME) return resolve(env.AVFS_HOME)
  const home = homeOf(env)
  const classic = join(home, '.avfs', 'vaults')
  if (existsSync(classic)) return classic
  return join(absolute(env.XDG_DATA_HOME) ?? join(home, '.local', 'share'), 'avfs', 'vaults')
}

/**
 * The home directory: $HOME, or that in the host's list of users. Throws ControlError 'failed' if
 * neither is known.
 */
export function homeOf(env: Environment): string {
  const given = absolute(env.HOME)
  if (given !== undefined) return given
  try {
    return userInfo().homedir
  } catch (error) {
    const reason = 'this user has no home directory; set HOME to an absolute path'
    throw new ControlError('failed', reason, undefined, { cause: error })
  }
}

/**
 * A directory from an environment variable. A relative path is ignored (XDG Base Directory
 * Specification), because it would depend on the current directory, which may be anybody's.
 */
export function absolute(directory: string | undefined): string | undefined {
  return directory !== undefined && isAbsolute(directory) ? directory : undefined
}

/**
 * The place of the vault `given`: a plain name is in `vaultsDirectory`, a name with a slash
 * anywhere, with or without its suffix. Throws ControlError: 'name', or 'failed' if two engines
 * have a vault of that name.
 */
export function vaultPlace(given: string, env: Environment = process.env): VaultPlace {
  const { stem, suffix } = stemOf(given, env)
  if (suffix !== undefined) return placeAt(stem + suffix)
  if (given.includes('/') && existsSync(stem)) return placeAt(stem)
  return placeAt(existing(stem, given)[0] ?? stem + (SUFFIXES[0] as string))
}

/**
 * Like vaultPlace, for an existing vault, with links in its path resolved. Throws ControlError
 * 'missing', which says how to create it.
 */
export function existingVault(given: string, env: Environment = process.env): VaultPlace {
  const { stem } = stemOf(given, env)
  for (const suffix of SUFFIXES) nameCopy(linked(stem + suffix))
  const place = vaultPlace(given, env)
  if (!existsSync(place.path)) {
    throw new ControlError(
      'missing',
      `there is no vault '${given}' (${place.path}); create it with: avfs vault create ${given}`,
      place.path,
    )
  }
  return { ...place, path: realpathSync(place.path) }
}

/**
 * Whether `given` has a slash and is the path of a file or folder of the kind that its engine
 * makes.
 */
export function isVaultPath(given: string, env: Environment = process.env): boolean {
  if (!given.includes('/') || given.endsWith('/')) return false
  const { path } = vaultPlace(given, env)
  const backend = persistentBackends.find(({ suffix }) => path.endsWith(suffix))
  return existsSync(path) && backend?.isFolder === statSync(path).isDirectory()
}

/**
 * The place of a new vault of an engine (by default that of the suffix in `given`, otherwise the
 * first). Throws ControlError: 'exists' if any engine has a vault of that name, 'name' for an
 * invalid name.
 */
export function newVault(
  given: string,
  backend: string | undefined,
  env: Environment = process.env,
): VaultPlace {
  const { stem, suffix } = stemOf(given, env)
  const wanted = backendOf(suffix ?? '', backend).suffix
  if (suffix !== undefined && suffix !== wanted)
    throw new ControlError(
      'name',
      `'${given}' is not a name for a vault of ${backend}: its end says ${suffix}`,
    )
  const taken = [stem + wanted, ...SUFFIXES.map((other) => stem + other)].find(isThere)
  if (taken !== undefined) {
    const what = existsSync(taken) ? 'there is a vault' : 'there is a link that leads nowhere for'
    throw new ControlError('exists', `${what} '${given}' already (${taken})`, taken)
  }
  return placeAt(stem + wanted)
}

/** Makes the directory of vaults for a new vault; for a path with a slash no directory is made. */
export function makeVaultsDirectory(given: string, { path }: VaultPlace): void {
  if (!given.includes('/')) mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
}

/** The vaults in `vaultsDirectory`, by name. Broken links are ignored. */
export function listVaults(env: Environment = process.env): VaultPlace[] {
  const directory = vaultsDirectory(env)
  if (!existsSync(directory)) return []
  return readdirSync(directory)
    .filter((file) =>
      SUFFIXES.some((suffix) => file.endsWith(suffix) && file.length > suffix.length),
    )
    .sort()
    .map((file) => placeAt(join(directory, file)))
    .filter(({ path }) => existsSync(path))
}

/** The absolute path without the suffix of an engine, and that suffix if `given` has one. */
function stemOf(given: string, env: Environment): { stem: string; suffix: string | undefined } {
  const suffix = SUFFIXES.find((end) => given.endsWith(end) && !given.endsWith(`/${end}`))
  const bare = suffix === undefined ? given : given.slice(0, -suffix.length)
  if (!given.includes('/')) {
    checkName(given, bare)
    return { stem: join(vaultsDirectory(env), bare), suffix }
  }
  if (given.endsWith('/') || given.includes('\0'))
    throw new ControlError('name', `'${given}' names a directory, not a vault`)
  return { stem: resolve(bare), suffix }
}

function checkName(given: string, bare: string): void {
  if (NAME.test(bare) && bare.length <= NAME_LENGTH_MAX) return
  throw new ControlError(
    'name',
    `'${given}' is not a name for a vault: use letters, digits and . _ - @ + (the first a letter, digit or _), ` +
      `at most ${NAME_LENGTH_MAX}; a path with a slash names a vault anywhere`,
  )
}

/** The existing vault of that name, [] if none. */
function existing(stem: string, given: string): string[] {
  const found = SUFFIXES.map((suffix) => stem + suffix).filter((path) => existsSync(path))
  if (found.length <= 1) return found
  // The original of an unfinished migration takes precedence until it is gone.
  const migrated = found.filter((path) => hasNote(realpathSync(path)))
  if (migrated.length === 1) return migrated
  const names = found.map((path) => basename(path)).join(' and ')
  throw new ControlError(
    'failed',
    `there are several vaults named '${given}' in ${dirname(stem)}: ${names}; say which, with its end`,
    stem,
  )
}

/** The target of a link, even if it does not exist; other paths unchanged. */
function linked(path: string): string {
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
  return isLink ? resolve(dirname(path), readlinkSync(path)) : path
}

function placeAt(path: string): VaultPlace {
  const { name, suffix } = backendOf(path)
  return { name: basename(path, suffix), path, backend: name }
}

/** True also for a broken link. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

/**
 * The paths of vaults with this stem on every engine, of which the file with `ending` appended
 * exists. `stem` has no suffix.
 */
export function namesakes(stem: string, ending = ''): string[] {
  return SUFFIXES.map((suffix) => stem + suffix).filter((path) => existsSync(path + ending))
}

/** A path without an engine's suffix. */
export function stemOfPath(path: string): string {
  const suffix = SUFFIXES.find((end) => path.endsWith(end) && !path.endsWith(`/${end}`))
  return suffix === undefined ? path : path.slice(0, -suffix.length)
}

/** An unused path for a former state of a vault, beside it: NAME.WORD with the vault's suffix. */
export function freePath(path: string, word: string): string {
  const stem = stemOfPath(path)
  const suffix = path.slice(stem.length)
  for (let count = 1; ; count++) {
    const free = `${stem}.${word}${count === 1 ? '' : `-${count}`}${suffix}`
    if (!isThere(free)) return free
  }
}

/** The path of a migrated copy of the vault at `path`, and its path while it is incomplete. */
export function migratedPaths(path: string, backend: string): { target: string; partial: string } {
  const target = stemOfPath(path) + backendOf('', backend).suffix
  return { target, partial: `${target}.partial` }
}
