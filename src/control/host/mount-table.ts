// The kernel's information on mounts: /proc/self/mountinfo, and the processes that keep a mount
// busy. Reads only /proc and never anything below a mount point, because the file system there may
// be dead, or our own.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { systemCode } from '../wire/errors.ts'

/** The type of a mounted vault in `findmnt` and /proc/mounts. */
export const MOUNT_TYPE = 'fuse.avfs'

/**
 * A line of mountinfo, see proc(5). `device` is the same for all mounts of one file system, and
 * `root` is the directory in it that is mounted (bind mounts). `userId` is the user who mounted it
 * (a FUSE option), undefined for other file systems.
 */
export interface MountEntry {
  readonly device: string
  readonly root: string
  readonly mountPoint: string
  readonly type: string
  readonly source: string
  readonly userId: number | undefined
}

/**
 * A process that keeps a mount busy, and by what: its working directory, its root, its program or
 * an open file.
 */
interface MountUser {
  readonly pid: number
  readonly command: string
  readonly path: string
}

/**
 * The topmost file system at `mountPoint` (an absolute path without links), or undefined if nothing
 * is mounted there.
 */
export function mountAt(mountPoint: string): MountEntry | undefined {
  return mounts().findLast((entry) => entry.mountPoint === mountPoint)
}

/** All mounts of this namespace, in the order in which they were made. */
export function mounts(): MountEntry[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'))
}

/** The mounts of the same vault as this one, bind mounts too; without it when it is unmounted. */
export function mountsOfVault({ device }: MountEntry): MountEntry[] {
  return mounts().filter((entry) => entry.type === MOUNT_TYPE && entry.device === device)
}

/** Parses mountinfo text; invalid lines are left out. */
export function parseMountInfo(text: string): MountEntry[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(' ')
    // Any number of optional fields may be between the sixth field and the dash.
    const dash = fields.indexOf('-', 6)
    const [type, source, options] = dash < 0 ? [] : fields.slice(dash + 1)
    const [, , device, root, mountPoint] = fields
    if (device === undefined || root === undefined || mountPoint === undefined) return []
    if (type === undefined || source === undefined) return []
    const userId = /(?:^|,)user_id=(\d+)/.exec(options ?? '')?.[1]
    return [
      {
        device,
        root: unescapeOctal(root),
        mountPoint: unescapeOctal(mountPoint),
        type,
        source: unescapeOctal(source),
        userId: userId === undefined ? undefined : Number(userId),
      },
    ]
  })
}

/**
 * True if the file system at `mountPoint` has lost its daemon: the kernel itself answers ENOTCONN.
 */
export async function isDeadMount(mountPoint: string): Promise<boolean> {
  try {
    // Not stat(2): attributes cached by the kernel outlive the daemon.
    await statfs(mountPoint)
    return false
  } catch (error) {
    return systemCode(error) === 'ENOTCONN'
  }
}

/** The processes that keep the mount busy, as far as this user can see them. */
export function mountUsers(mountPoint: string): MountUser[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const path = pathsHeldBy(pid).find((held) => isBelow(held, mountPoint))
      return path === undefined ? [] : [{ pid: Number(pid), command: commandOf(pid), path }]
    })
}

/** True when `path` is `directory` or lies below it; both absolute. */
export function isBelow(path: string, directory: string): boolean {
  const prefix = directory === '/' ? '/' : `${directory}/`
  return path === directory || path.startsWith(prefix)
}

function pathsHeldBy(pid: string): string[] {
  const own = ['cwd', 'root', 'exe']
  return [...own, ...descriptorsOf(pid)].flatMap((link) => {
    try {
      return [readlinkSync(`/proc/${pid}/${link}`)]
    } catch {
      // Another user's process, or one that has just ended.
      return []
    }
  })
}

function descriptorsOf(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => `fd/${fd}`)
  } catch {
    return []
  }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return '?'
  }
}

/** mountinfo writes space, tab, newline, # and backslash as \040. */
function unescapeOctal(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  )
}
