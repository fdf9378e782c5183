// `avfs unmount`: takes a mounted vault away and waits until its daemon has closed it, so that it
// can be mounted again.

import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CommandModule } from 'yargs'
import {
  MOUNT_TYPE,
  type MountEntry,
  mountAt,
  mountsOfVault,
  mountUsers,
} from '../../control/host/mount-table.ts'
import { unmount } from '../../control/host/unmount.ts'
import type { ItemOf, ResultOf } from '../../control/methods/method-types.ts'
import { type FoundDaemon, findDaemon } from '../../control/vaults/find-daemon.ts'
import { lockHolder } from '../../control/vaults/lock.ts'
import { mountPointPath } from '../../control/vaults/paths.ts'
import { mountOnTheWay } from '../../control/vaults/way-in.ts'
import { writtenBackAt } from '../../control/vaults/write-back.ts'
import { absoluteBytes, toBytes } from '../../control/wire/byte-strings.ts'
import { callDaemon, daemonInfo, NoDaemonError } from '../../control/wire/client.ts'
import { ControlError } from '../../control/wire/errors.ts'
import { SilentDaemonError } from '../../control/wire/silence.ts'
import { notice, printResult } from '../output.ts'
import type { CommonArguments } from './common.ts'

interface UnmountArguments extends CommonArguments {
  dir: string
  lazy: boolean
}

const CLOSE_POLL_MS = 20
const CLOSE_NOTICE_MS = 2_000
const CLOSE_TIMEOUT_MS = 10 * 60_000

export const unmountCommand: CommandModule<object, UnmountArguments> = {
  command: 'unmount <dir>',
  aliases: ['umount'],
  describe: 'unmount a vault and wait until it is closed',
  builder: (yargs) =>
    yargs
      .positional('dir', {
        type: 'string',
        demandOption: true,
        describe: 'where the vault is mounted',
      })
      .option('lazy', {
        type: 'boolean',
        default: false,
        describe: 'take it away at once; it is closed when nobody uses it any more',
      })
      .example('$0 unmount ~/myproject', ''),
  handler: async ({ dir, lazy, json }) => {
    const silent = await silentAt(dir)
    if (silent !== undefined && !lazy) throw silent.error
    const mountPoint = silent?.mounted.mountPoint ?? mountPointPath(dir)
    const mounted = silent?.mounted ?? mountAt(mountPoint)
    if (mounted?.type !== MOUNT_TYPE) {
      throw new ControlError('failed', `no vault is mounted at ${dir}`, mountPoint)
    }
    const daemon = silent === undefined ? await findDaemon(mounted) : undefined
    const lost = daemon && !lazy ? await assertDurable(mountPoint, daemon) : undefined
    await takeAway(mountPoint, lazy)
    if (daemon !== undefined && !lazy) await closed(daemon, mounted, lost !== undefined)
    if (lost !== undefined) throw new ControlError('failed', `unmounted, but ${lost}`, daemon?.path)
    printResult(
      json === true,
      { name: mounted.source, mountPoint, pid: daemon?.pid ?? null },
      `${mounted.source} is unmounted`,
    )
  },
}

/**
 * The mount at a directory whose daemon does not answer, so that nothing in it can be looked at.
 */
async function silentAt(
  dir: string,
): Promise<{ mounted: MountEntry; error: ControlError } | undefined> {
  const mounted = mountOnTheWay(absoluteBytes(toBytes(dir)))
  if (mounted === undefined) return undefined
  try {
    await findDaemon(mounted)
    return undefined
  } catch (error) {
    if (!(error instanceof SilentDaemonError)) throw error
    const message = `${error.message}; or use --lazy and lose the last changes`
    return { mounted, error: new ControlError('failed', message, mounted.mountPoint) }
  }
}

/**
 * A vault that cannot be written now (a full disk) stays mounted: what it holds in memory would be
 * lost. Returns what is to be told of one that is not where it was mounted from any more, and all
 * of which is elsewhere.
 */
async function assertDurable(mountPoint: string, daemon: FoundDaemon): Promise<string | undefined> {
  await writtenBackAt(mountPoint)
  try {
    const { socket, pid } = daemon
    const sync = callDaemon<ItemOf<'sync'>, ResultOf<'sync'>>
    const { lost } = await sync(socket, 'sync', {}, () => {}, undefined, undefined, pid)
    return lost
  } catch (error) {
    if (error instanceof NoDaemonError) return undefined
    const reason = error instanceof Error ? error.message : String(error)
    throw new ControlError(
      'failed',
      `${daemon.path} cannot be written (${reason}): mend that and unmount again, or use --lazy and lose the last changes`,
      mountPoint,
    )
  }
}

async function takeAway(mountPoint: string, lazy: boolean): Promise<void> {
  // Called from within, this process itself would keep it in use.
  process.chdir('/')
  try {
    await unmount(mountPoint, lazy)
  } catch (error) {
    if (!(error instanceof ControlError) || error.kind !== 'busy') throw error
    const users = mountUsers(mountPoint).map(
      ({ pid, command, path }) => `${command} (process ${pid}: ${path})`,
    )
    const who = users.length === 0 ? 'a process of another user' : users.join(', ')
    throw new ControlError(
      'busy',
      `${mountPoint} is in use by ${who}; end that or leave the directory, or use --lazy`,
      mountPoint,
    )
  }
}

/**
 * Waits until the daemon has closed the vault, unless other mounts of it are left. Without its lock
 * file (`isLost`), it is known by its process.
 */
async function closed(daemon: FoundDaemon, mounted: MountEntry, isLost: boolean): Promise<void> {
  const [left] = mountsOfVault(mounted)
  if (left !== undefined) return notice(`it is still mounted at ${left.mountPoint}`)
  const start = performance.now()
  let told = false
  while (lockHolder(daemon.path)?.pid === daemon.pid || (isLost && isRunning(daemon.pid))) {
    const waited = performance.now() - start
    if (waited > CLOSE_TIMEOUT_MS) {
      throw new ControlError('failed', `process ${daemon.pid} does not close ${daemon.path}`)
    }
    if (!told && waited > CLOSE_NOTICE_MS) {
      // The first answer may be to a call that came before the daemon saw that it is unmounted.
      if ((await isServing(daemon)) && (await isServing(daemon)))
        return notice(
          `it is unmounted here, but a container or another mount namespace still has it: process ${daemon.pid} serves it until that ends`,
        )
      notice(`unmounted; waiting for process ${daemon.pid} to close ${daemon.path}`)
      told = true
    }
    await sleep(CLOSE_POLL_MS)
  }
}

/** A daemon that was told of its unmount answers nobody any more. */
async function isServing({ socket, pid }: FoundDaemon): Promise<boolean> {
  try {
    return (await daemonInfo(socket)).pid === pid
  } catch {
    return false
  }
}

/** False for one that has ended and that nobody has waited for. */
function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/exe`)
}
