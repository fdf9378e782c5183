// From a line of the mount table to the daemon that serves it.

import { ownUser, StrangerError } from '../base/own-files.ts'
import { daemonInfo } from './client.ts'
import { socketOwner } from './connect.ts'
import { MOUNT_TYPE, type MountEntry, mounts } from './mount-table.ts'
import { socketCandidates } from './paths.ts'
import type { DaemonInfo } from './protocol.ts'

export type FoundDaemon = DaemonInfo & { readonly socket: string }

/**
 * The daemon of a mounted vault, or undefined when nobody answers: the mount is dead, or another user's. Throws StrangerError where
 * nobody does but there is a socket that is not to be trusted.
 */
export async function findDaemon(mounted: MountEntry): Promise<FoundDaemon | undefined> {
  // A bind mount has no socket of its own: it is served by whoever serves the mount that it was made from.
  const places = [mounted, ...mounts().filter((entry) => isSame(entry, mounted))]
  const seen = new Set<string>()
  let stranger: StrangerError | undefined
  for (const { mountPoint, userId } of places)
    for (const socket of socketCandidates(mountPoint, userId)) {
      if (seen.has(socket)) continue
      seen.add(socket)
      try {
        if (!isServers(socket, userId)) continue
        return { ...(await daemonInfo(socket)), socket }
      } catch (error) {
        // Else a leftover of a daemon that died, or none.
        if (error instanceof StrangerError) stranger = error
      }
    }
  if (stranger !== undefined) throw stranger
  return undefined
}

/** Whether a socket is of the user who mounted, as the kernel says, or of this one. */
function isServers(socket: string, mounter: number | undefined): boolean {
  const owner = socketOwner(socket)
  return owner === mounter || owner === ownUser()
}

function isSame(entry: MountEntry, other: MountEntry): boolean {
  return entry.type === MOUNT_TYPE && entry.device === other.device
}
