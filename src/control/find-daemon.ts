// From a line of the mount table to the daemon that serves it.

import { existsSync } from 'node:fs'
import { daemonInfo } from './client.ts'
import { MOUNT_TYPE, type MountEntry, mounts } from './mount-table.ts'
import { socketCandidates } from './paths.ts'
import type { DaemonInfo } from './protocol.ts'
import { daemonOf, SilentDaemonError } from './silence.ts'

export type FoundDaemon = DaemonInfo & { readonly socket: string }

/**
 * The daemon of a mounted vault, or undefined when there is none that answers: the mount is dead, or another user's. Throws
 * SilentDaemonError.
 */
export async function findDaemon(mounted: MountEntry): Promise<FoundDaemon | undefined> {
  // A bind mount has no socket of its own: it is served by whoever serves the mount that it was made from.
  const places = [mounted, ...mounts().filter((entry) => isSame(entry, mounted))]
  const sockets = places.flatMap(({ mountPoint, userId }) => socketCandidates(mountPoint, userId))
  let silent: string | undefined
  for (const socket of new Set(sockets.filter(existsSync))) {
    try {
      return { ...(await daemonInfo(socket)), socket }
    } catch (error) {
      // A leftover of a daemon that died, or one that is stopped.
      if (error instanceof SilentDaemonError) silent = socket
    }
  }
  if (silent !== undefined) throw new SilentDaemonError(silent, daemonOf(mounted.mountPoint))
  return undefined
}

function isSame(entry: MountEntry, other: MountEntry): boolean {
  return entry.type === MOUNT_TYPE && entry.device === other.device
}
