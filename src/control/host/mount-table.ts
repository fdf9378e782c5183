// What the kernel says of mounts: /proc/self/mountinfo, and which processes keep a mount busy.
// Reads /proc only and never looks below a mount point, because the file system there may be dead,
// or our own.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { systemCode } from '../wire/errors.ts'

/** The type that `findmnt` and /proc/mounts show for a mounted vault. */
export const MOUNT_TYPE = 'fuse.avfs'

/**
 * One line of mountinfo, see proc(5). `device` is the same for all mounts of one file system, of
 * which `root` is the directory that is mounted here (bind mounts). `userId` is who mounted it (a
 * FUSE option), undefined for other file systems.
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
 * The file system on top at `mountPoint` (an absolute path without links), or undefined when
 * nothing is mounted there.
 */
export function mountAt(mountPoint: string): MountEntry | undefined {
  return mounts().findLast((entry) => entry.mountPoint === mountPoint)
}

/** All mounts of this namespace, in the order in which they were made. */
export function mounts(): MountEntry[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'))
}

/** Parses mountinfo text; lines that make no sense are left out. */
export function parseMountInfo(text: string): MountEntry[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(' ')
    // Optional fields of any number stand between the sixth field and the dash.
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
 * True when the file system at `mountPoint` has lost its daemon: the kernel answers ENOTCONN by
 * itself.
 */
export async function isDeadMount(mountPoint: string): Promise<boolean> {
  try {
    // Not stat(2): attributes that the kernel has cached outlive the daemon.
    await statfs(mountPoint)
    return false
  } catch (error) {
    return systemCode(error) === 'ENOTCONN'
  }
}

/** Who keeps the mount busy, as far as this user may see. */
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
