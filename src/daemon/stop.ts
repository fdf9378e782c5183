// Handles SIGTERM and SIGINT in a daemon: unmounts while still answering, because unmounting writes
// back what the kernel has cached. A mount in use stays until it is free; a second signal unmounts
// it anyway.

import { setTimeout as sleep } from 'node:timers/promises'
import { log } from '../base/log.ts'
import { MOUNT_TYPE, mountAt, mountUsers } from '../control/host/mount-table.ts'
import { unmount, writeBack } from '../control/host/unmount.ts'
import { ControlError } from '../control/wire/errors.ts'
import type { DaemonConfig } from '../control/wire/protocol.ts'
import type { Session } from '../fuse/session.ts'
import type { Vault } from '../vault/vault.ts'

const RETRY_MS = 500
/** How long the kernel may take to write back before a lazy unmount. */
const WRITE_BACK_MS = 60_000

export interface Stopping {
  readonly config: DaemonConfig
  readonly vault: Vault
  readonly session: Session
  /** Called when the session was stopped here; a normal unmount ends it by itself. */
  over(): void
}

/** The handler of both signals. */
export function stopper(stopping: Stopping): (signal: NodeJS.Signals) => void {
  let signals = 0
  return (signal) => {
    signals++
    log('info', `${signal}: ${signals === 1 ? 'unmounting' : 'unmounting although it is in use'}`)
    const work = signals === 1 ? stopWhenFree(stopping, () => signals > 1) : stopNow(stopping)
    work.catch((error: unknown) => {
      log('error', 'stopping failed', error)
      stopping.over()
    })
  }
}

async function stopWhenFree(stopping: Stopping, isOvertaken: () => boolean): Promise<void> {
  const { config, vault, session } = stopping
  for (let attempt = 0; !isOvertaken(); attempt++) {
    if (!isMounted(config)) {
      // Unmounted lazily by another process: no program can enter any more, and those inside lose
      // access.
      await session.stop()
      return stopping.over()
    }
    try {
      return await unmount(config.mountPoint, false)
    } catch (error) {
      if (!(error instanceof ControlError) || error.kind !== 'busy') return await stopNow(stopping)
    }
    if (attempt === 0) {
      // So that nothing is lost if the sender of the signal loses patience and kills the daemon.
      await writeBack(config.mountPoint)
      await vault.sync().catch((error: unknown) => log('error', 'not all is durable', error))
      log('warn', `in use, waiting: ${usersOf(config)}; a second signal unmounts all the same`)
    }
    await sleep(RETRY_MS)
  }
}

async function stopNow(stopping: Stopping): Promise<void> {
  const { config, session } = stopping
  if (isMounted(config)) {
    await Promise.race([
      writeBack(config.mountPoint),
      sleep(WRITE_BACK_MS, undefined, { ref: false }),
    ])
    await unmount(config.mountPoint, true)
  }
  await session.stop()
  stopping.over()
}

function isMounted(config: DaemonConfig): boolean {
  const mounted = mountAt(config.mountPoint)
  return mounted?.type === MOUNT_TYPE && mounted.source === config.name
}

function usersOf(config: DaemonConfig): string {
  const users = mountUsers(config.mountPoint).map(({ pid, command }) => `${command} (${pid})`)
  return users.join(', ') || 'unknown'
}
