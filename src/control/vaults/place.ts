// Finds the vault and the file in it that a PATH on the command line means: NAME:/a.txt, a path
// inside a mounted vault, or the path of a vault. Reads the mount table and directories, so it is
// only for callers of a daemon, never for a daemon, which would wait for itself.
//
// Paths are byte strings (a char a byte), because names are bytes.

import { existsSync, realpathSync } from 'node:fs'
import { join, posix } from 'node:path'
import { ownUser } from '../../base/own-files.ts'
import { isBelow, MOUNT_TYPE, type MountEntry, mountAt, mounts } from '../host/mount-table.ts'
import { absoluteBytes, toBytes, toText } from '../wire/byte-strings.ts'
import { ControlError } from '../wire/errors.ts'
import { findDaemon } from './find-daemon.ts'
import { lockHolder } from './lock.ts'
import { type Environment, existingVault, isVaultPath, vaultPlace } from './vault-names.ts'
import { mountOnTheWay } from './way-in.ts'

/**
 * A file of a vault: `path` begins with / and need not exist. `mountPoint`: where the vault is
 * mounted, if it is. `show` prints another path of the vault in the form in which this one was
 * given.
 */
export interface Place {
  readonly vaultPath: string
  readonly mountPoint: string | undefined
  readonly path: string
  show(path: string): string
}

const VIEWS = '.avfs'

/**
 * Finds what `given`, a byte string, means. Throws ControlError: 'missing' if there is no such
 * vault or no vault is mounted there, 'name' for paths below .avfs.
 */
export async function findPlace(given: string, env: Environment = process.env): Promise<Place> {
  const place = placeInVault(given, env) ?? (await placeInMount(given)) ?? rootOfVault(given, env)
  if (place === undefined)
    throw new ControlError(
      'missing',
      `${toText(given)} is in no mounted vault; give a path below a mount point, or NAME:/path`,
    )
  if (place.path.split('/').includes(VIEWS)) {
    const hint = 'name the file itself and say which state: -v, --at or --snapshot'
    throw new ControlError('name', `${toText(given)} is a view below ${VIEWS}; ${hint}`)
  }
  return place
}

/** NAME:/path. If NAME contains a slash, it is a vault only if its file exists. */
function placeInVault(given: string, env: Environment): Place | undefined {
  const colon = given.indexOf(':/')
  if (colon < 1) return undefined
  const name = toText(given.slice(0, colon))
  if (name.includes('/') && !existsSync(vaultPlace(name, env).path)) return undefined
  const vaultPath = existingVault(name, env).path
  const mountPoint = lockHolder(vaultPath)?.mountPoint ?? undefined
  const show = (path: string): string => toText(given.slice(0, colon + 1) + path)
  return { vaultPath, mountPoint, path: tidy(given.slice(colon + 1)), show }
}

/**
 * The path of a vault. A path inside a mounted vault is a file of that vault, whatever its name.
 */
function rootOfVault(given: string, env: Environment): Place | undefined {
  const name = toText(given)
  return isVaultPath(name, env) ? rootOf(name, env) : undefined
}

function rootOf(name: string, env: Environment): Place {
  const vaultPath = existingVault(name, env).path
  const mountPoint = lockHolder(vaultPath)?.mountPoint ?? undefined
  return { vaultPath, mountPoint, path: '/', show: (path) => `${name}:${toText(path)}` }
}

async function placeInMount(given: string): Promise<Place | undefined> {
  const absolute = tidy(absoluteBytes(given))
  const onTheWay = await answeringAt(absolute)
  // A link inside a vault is itself a file of the vault; a link from outside leads into it.
  const found = inMount(realParent(absolute)) ?? inMount(realPath(absolute) ?? '')
  if (found === undefined) return undefined
  const { mounted, path } = found
  const isAsked = onTheWay !== undefined && isSameMount(onTheWay.mounted, mounted)
  const daemon = isAsked ? onTheWay.daemon : await findDaemon(mounted)
  if (daemon === undefined) throw nobodyAnswers(mounted)
  const { root, mountPoint } = mounted
  const show = (inner: string): string =>
    isBelow(toText(inner), root)
      ? join(mountPoint, toText(inner).slice(root === '/' ? 0 : root.length))
      : toText(inner)
  return { vaultPath: daemon.path, mountPoint: daemon.mountPoint, path, show }
}

function nobodyAnswers({ source, mountPoint, userId }: MountEntry): ControlError {
  const isOthers = userId !== undefined && userId !== ownUser() && ownUser() !== 0
  const why = isOthers
    ? `${mountPoint} was mounted by user ${userId}, and its daemon answers that user and root alone; the past is in the directories ${VIEWS} there, without a command`
    : `nobody answers for ${source} at ${mountPoint}: its daemon has died, and the next avfs mount clears that, or it was started with another runtime directory (XDG_RUNTIME_DIR)`
  return new ControlError('failed', why, mountPoint)
}

/**
 * Must be called before accessing a path that may lie in the mount of a vault. Throws
 * SilentDaemonError if its daemon does not answer: no system call there would return.
 */
export async function assertAnswering(absolute: string): Promise<void> {
  await answeringAt(absolute)
}

/** The first mount of a vault on the path, and the daemon that answers for it. */
async function answeringAt(absolute: string) {
  const mounted = mountOnTheWay(absolute)
  return mounted && { mounted, daemon: await findDaemon(mounted) }
}

function isSameMount(one: MountEntry, other: MountEntry): boolean {
  return one.mountPoint === other.mountPoint && one.device === other.device
}

/**
 * Finds the vault that `given` names, or in whose mount it lies. Its `path` is the root unless
 * `given` has one.
 */
export async function findVault(given: string, env: Environment = process.env): Promise<Place> {
  const name = toText(given)
  if (given.includes('/') || given === '.' || given === '..') return await findPlace(given, env)
  // A vault's name takes precedence over that of a directory.
  if (isVault(name, env)) return rootOf(name, env)
  await assertAnswering(absoluteBytes(given))
  if (existsSync(Buffer.from(given, 'latin1'))) return await findPlace(given, env)
  return rootOf(name, env)
}

function isVault(name: string, env: Environment): boolean {
  try {
    return existsSync(vaultPlace(name, env).path)
  } catch {
    // Not a valid name of a vault.
    return false
  }
}

function tidy(path: string): string {
  const normal = posix.normalize(path)
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal
}

/** The path with links in its directories resolved, as far as they exist; the last name is kept. */
function realParent(absolute: string): string {
  const names: string[] = []
  for (let at = absolute; ; ) {
    const { dir, base } = posix.parse(at)
    if (base === '') return posix.join(at, names.reverse().join('/'))
    names.push(base)
    const real = realPath(dir)
    if (real !== undefined) return posix.join(real, names.reverse().join('/'))
    at = dir
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(Buffer.from(path, 'latin1'), 'latin1')
  } catch {
    // Missing, a dead mount, or not permitted: the path above may still lead to a mount.
    return undefined
  }
}

function inMount(path: string): { mounted: MountEntry; path: string } | undefined {
  const above = mounts().filter(({ mountPoint }) => isBelow(path, toBytes(mountPoint)))
  const length = Math.max(...above.map(({ mountPoint }) => mountPoint.length))
  // Of several mounts on a directory, the last is on top.
  const mounted = above.findLast(({ mountPoint }) => mountPoint.length === length)
  if (mounted?.type !== MOUNT_TYPE) return undefined
  const { root, mountPoint } = mounted
  const below = mountPoint === '/' ? path : path.slice(toBytes(mountPoint).length)
  return { mounted, path: tidy(`${toBytes(root)}/${below}`) }
}

/** Whether the vault of `place` is mounted at its mount point in this namespace. */
export function isMounted({ mountPoint }: Place): boolean {
  return mountPoint !== undefined && mountAt(mountPoint)?.type === MOUNT_TYPE
}
