// Which file or folder a vault's name means: the suffix says which engine it belongs to, so that
// nothing need be opened.
//
//   vaults    $AVFS_HOME, else ~/.avfs/vaults when it exists, else $XDG_DATA_HOME/avfs/vaults
//   (~/.local/share/avfs/vaults)
//
// A vault elsewhere has its name by a link in that directory (`avfs vault create NAME --path
// FILE`).

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

/**
 * A vault as the user names it: `name` for people (df shows it), absolute `path`, its engine. It
 * need not exist.
 */
export interface VaultPlace {
  readonly name: string
  readonly path: string
  readonly backend: string
}

const SUFFIXES = persistentBackends.map(({ suffix }) => suffix)
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._@+-]*$/
/** Leaves room for suffixes (.avfs-wal, .avfs.lock) below NAME_MAX. */
const NAME_LENGTH_MAX = 200

/** The directory of the vaults that are named without a slash. Need not exist. */
export function vaultsDirectory(env: Environment = process.env): string {
  if (env.AVFS_HOME) return resolve(env.AVFS_HOME)
  const home = homeOf(env)
  const classic = join(home, '.avfs', 'vaults')
  if (existsSync(classic)) return classic
  return join(absolute(env.XDG_DATA_HOME) ?? join(home, '.local', 'share'), 'avfs', 'vaults')
}

/**
 * The home directory: $HOME, or what the host knows of the user. Throws ControlError 'failed' when
 * it knows nothing.
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
 * A directory that a variable names. A relative one counts as none (XDG Base Directory
 * Specification): it would mean whatever the current directory has there, which may be anybody's.
 */
export function absolute(directory: string | undefined): string | undefined {
  return directory !== undefined && isAbsolute(directory) ? directory : undefined
}

/**
 * Where the vault `given` is or would be: a plain name below `vaultsDirectory`, a name with a slash
 * anywhere, with or without its suffix. Throws ControlError: 'name', or 'failed' when there are two
 * of that name under two engines.
 */
export function vaultPlace(given: string, env: Environment = process.env): VaultPlace {
  const { stem, suffix } = stemOf(given, env)
  if (suffix !== undefined) return placeAt(stem + suffix)
  if (given.includes('/') && existsSync(stem)) return placeAt(stem)
  return placeAt(existing(stem, given)[0] ?? stem + (SUFFIXES[0] as string))
}

/**
 * Like vaultPlace, of a vault that exists, its path without links. Throws ControlError 'missing',
 * saying how to create it.
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

/** Whether `given` is the path, with a slash, of a file or folder such as an engine makes. */
export function isVaultPath(given: string, env: Environment = process.env): boolean {
  if (!given.includes('/') || given.endsWith('/')) return false
  const { path } = vaultPlace(given, env)
  const backend = persistentBackends.find(({ suffix }) => path.endsWith(suffix))
  return existsSync(path) && backend?.isFolder === statSync(path).isDirectory()
}

/**
 * Where a new vault of that engine (by default that of the suffix in `given`, or else the first)
 * would be. Throws ControlError: 'exists' when the name is taken, whatever the engine, 'name' for a
 * name that no vault can have.
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

/**
 * Makes the directory of vaults for a new one that `given` names; a path that was typed gets no
 * directory made for it.
 */
export function makeVaultsDirectory(given: string, { path }: VaultPlace): void {
  if (!given.includes('/')) mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
}

/** The vaults of `vaultsDirectory`, by name. A link that leads nowhere is none. */
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

/** The absolute path without the suffix of an engine, and that suffix where `given` has one. */
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

/** The vault of that name that is there, [] if none. */
function existing(stem: string, given: string): string[] {
  const found = SUFFIXES.map((suffix) => stem + suffix).filter((path) => existsSync(path))
  if (found.length <= 1) return found
  // One that is being migrated counts until it is gone.
  const migrated = found.filter((path) => hasNote(realpathSync(path)))
  if (migrated.length === 1) return migrated
  const names = found.map((path) => basename(path)).join(' and ')
  throw new ControlError(
    'failed',
    `there are several vaults named '${given}' in ${dirname(stem)}: ${names}; say which, with its end`,
    stem,
  )
}

/** Where a link leads, also when nothing is there; other paths as they are. */
function linked(path: string): string {
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
  return isLink ? resolve(dirname(path), readlinkSync(path)) : path
}

function placeAt(path: string): VaultPlace {
  const { name, suffix } = backendOf(path)
  return { name: basename(path, suffix), path, backend: name }
}

/** True for a link that leads nowhere, too. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

/**
 * The paths that a vault has on each engine, if they are there with `ending` behind; `stem` has no
 * suffix.
 */
export function namesakes(stem: string, ending = ''): string[] {
  return SUFFIXES.map((suffix) => stem + suffix).filter((path) => existsSync(path + ending))
}

/** A path without what tells the engine. */
export function stemOfPath(path: string): string {
  const suffix = SUFFIXES.find((end) => path.endsWith(end) && !path.endsWith(`/${end}`))
  return suffix === undefined ? path : path.slice(0, -suffix.length)
}

/**
 * A path beside a vault for the same as it was, of which nothing is there: NAME.WORD with its own
 * ending.
 */
export function freePath(path: string, word: string): string {
  const stem = stemOfPath(path)
  const suffix = path.slice(stem.length)
  for (let count = 1; ; count++) {
    const free = `${stem}.${word}${count === 1 ? '' : `-${count}`}${suffix}`
    if (!isThere(free)) return free
  }
}

/**
 * Where a migration of the vault at `path` to another engine puts its copy, and where that lies
 * until it is whole.
 */
export function migratedPaths(path: string, backend: string): { target: string; partial: string } {
  const target = stemOfPath(path) + backendOf('', backend).suffix
  return { target, partial: `${target}.partial` }
}
