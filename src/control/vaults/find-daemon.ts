// From a line of the mount table to the daemon that serves it: one of the user who mounted, as the
// kernel says, or of this one.

import { statSync } from 'node:fs'
import { ownUser, StrangerError } from '../../base/own-files.ts'
import { MOUNT_TYPE, type MountEntry, mounts } from '../host/mount-table.ts'
import { daemonInfo } from '../wire/client.ts'
import { socketOwner } from '../wire/connect.ts'
import type { DaemonInfo } from '../wire/protocol.ts'
import { daemonOf, SilentDaemonError } from '../wire/silence.ts'
import { socketCandidates } from './paths.ts'

export type FoundDaemon = DaemonInfo & { readonly socket: string }

/**
 * The daemon of a mounted vault, or undefined when nobody answers: the mount is dead, or another
 * user's. Throws StrangerError where nobody does but there is a socket that is not to be trusted,
 * SilentDaemonError where one listens and says nothing.
 */
export async function findDaemon(mounted: MountEntry): Promise<FoundDaemon | undefined> {
  // A bind mount has no socket of its own: it is served by whoever serves the mount that it was
  // made from.
  const places = [mounted, ...mounts().filter((entry) => isSame(entry, mounted))]
  const seen = new Set<string>()
  let stranger: StrangerError | undefined
  let silent: string | undefined
  for (const { mountPoint, userId } of places)
    for (const socket of socketCandidates(mountPoint, userId)) {
      const asked = `${userId} ${socket}`
      if (seen.has(asked)) continue
      seen.add(asked)
      try {
        const owner = socketOwner(socket)
        if (owner !== userId && owner !== ownUser()) continue
        const info = await daemonInfo(socket)
        assertVaultOf(owner, info, socket)
        return { ...info, socket }
      } catch (error) {
        // Else a leftover of a daemon that died, or none.
        if (error instanceof StrangerError) stranger = error
        if (error instanceof SilentDaemonError) silent = socket
      }
    }
  if (silent !== undefined) throw new SilentDaemonError(silent, daemonOf(mounted.mountPoint))
  if (stranger !== undefined) throw stranger
  return undefined
}

/**
 * Throws StrangerError where the daemon of another user, whom root asks, names a vault that is not
 * that user's: commands open what a daemon names when it has gone.
 */
function assertVaultOf(owner: number, { path }: DaemonInfo, socket: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (owner === ownUser() || found === undefined || found.uid === owner) return
  throw new StrangerError(socket, `speaks of ${path}, which is not of user ${owner}`)
}

function isSame(entry: MountEntry, other: MountEntry): boolean {
  return entry.type === MOUNT_TYPE && entry.device === other.device
}
