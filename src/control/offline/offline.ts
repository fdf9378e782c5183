// What work on the files of a closed vault needs: its lock, and space on the disk.

import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { acquireLock, type Lock, LockedError } from '../vaults/lock.ts'
import { ControlError } from '../wire/errors.ts'

/**
 * Takes the lock of a vault until release() or the end of the process. Throws ControlError
 * 'locked', which says how to unmount.
 */
export async function lockOffline(path: string): Promise<Lock> {
  try {
    const lock = await acquireLock(path, { mountPoint: null, socket: null })
    process.once('exit', lock.release)
    return {
      ...lock,
      release() {
        process.off('exit', lock.release)
        lock.release()
      },
    }
  } catch (error) {
    if (!(error instanceof LockedError) || error.holder.mountPoint === null) throw error
    throw new ControlError(
      'locked',
      `${error.message}; unmount it first: avfs unmount ${error.holder.mountPoint}`,
      path,
      { cause: error },
    )
  }
}

const ROOM_BYTES_MIN = 16 * 1024 * 1024

/**
 * Throws ControlError 'failed' unless the folder of `path` has `bytes` free; `advice` says what to
 * do then.
 */
export function needRoom(path: string, bytes: number, advice: string): void {
  const folder = dirname(path)
  const { bavail, bsize } = statfsSync(folder)
  const needed = Math.max(ROOM_BYTES_MIN, Math.ceil(bytes))
  if (bavail * bsize >= needed) return
  const mib = (value: number): string => `${Math.ceil(value / 2 ** 20)} MiB`
  throw new ControlError(
    'failed',
    `the copy needs about ${mib(needed)}, ${folder} has ${mib(bavail * bsize)} free; ${advice}`,
    folder,
  )
}
