// Finds the daemon that serves a line of the mount table. The daemon must belong to the user who
// mounted, according to the kernel, or to this one.

import { statSync } from 'node:fs'
import { ownUser, StrangerError } from '../../base/own-files.ts'
import { type MountEntry, mountsOfVault } from '../host/mount-table.ts'
import { daemonInfo } from '../wire/client.ts'
import { socketOwner } from '../wire/connect.ts'
import type { DaemonInfo } from '../wire/protocol.ts'
import { daemonOf, SilentDaemonError } from '../wire/silence.ts'
import { socketCandidates } from './paths.ts'

export type FoundDaemon = DaemonInfo & { readonly socket: string }

/**
 * The daemon of a mounted vault, or undefined if none answers: the mount is dead, or another
 * user's. Throws StrangerError if none answers but there is an untrusted socket, SilentDaemonError
 * if a daemon listens and does not answer.
 */
export async function findDaemon(mounted: MountEntry): Promise<FoundDaemon | undefined> {
  // A bind mount has no socket of its own: it is served by the daemon of the mount it was made
  // from.
  const places = [mounted, ...mountsOfVault(mounted)]
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
        // Otherwise there is no socket, or one of a daemon that died.
        if (error instanceof StrangerError) stranger = error
        if (error instanceof SilentDaemonError) silent = socket
      }
    }
  if (silent !== undefined) throw new SilentDaemonError(silent, daemonOf(mounted.mountPoint))
  if (stranger !== undefined) throw stranger
  return undefined
}

/**
 * Throws StrangerError if another user's daemon, which root may ask, names a vault that is not that
 * user's: commands open the named vault themselves when the daemon has gone.
 */
function assertVaultOf(owner: number, { path }: DaemonInfo, socket: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (owner === ownUser() || found === undefined || found.uid === owner) return
  throw new StrangerError(socket, `speaks of ${path}, which is not of user ${owner}`)
}
