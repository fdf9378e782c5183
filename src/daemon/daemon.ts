// The daemon: takes the lock, opens the vault, mounts it, answers until the mount is gone, and
// leaves everything closed. The only file that knows all layers. Runs as a process of its own,
// started by src/cli/start-daemon.ts, or inside `avfs mount --foreground`.

import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { setWallClock } from '../base/clock.ts'
import { clearCaches } from '../base/generation-cache.ts'
import { outliveErrors } from '../base/guard.ts'
import { MIB } from '../base/limits.ts'
import { log, logTrace, setLog } from '../base/log.ts'
import { limited } from '../base/log-limit.ts'
import { standardErrorSink } from '../base/log-sink.ts'
import { watchMemory } from '../base/memory.ts'
import { addon } from '../base/native.ts'
import { processOf } from '../base/processes.ts'
import { version } from '../base/version.ts'
import { isDeadMount, MOUNT_TYPE, type MountEntry, mountAt } from '../control/host/mount-table.ts'
import { unmount } from '../control/host/unmount.ts'
import { methods } from '../control/methods/methods.ts'
import { MEND, namingDamaged } from '../control/methods/refusal.ts'
import { startControlServer } from '../control/server.ts'
import { keeperOf } from '../control/vaults/keeper.ts'
import {
  acquireLock,
  isServing,
  type Lock,
  LockedError,
  type LockHolder,
} from '../control/vaults/lock.ts'
import {
  type DaemonConfig,
  type DaemonInfo,
  type DaemonMessage,
  type MountSettings,
  toWire,
} from '../control/wire/protocol.ts'
import type { AtimeRule } from '../fs/context.ts'
import { createFileSystem } from '../fs/file-system.ts'
import { openDevice } from '../fuse/device.ts'
import { mount } from '../fuse/mount.ts'
import { type Session, startSession } from '../fuse/session.ts'
import { Searcher } from '../search/searcher.ts'
import { retryUntilLoaded } from '../store/retry.ts'
import { shrinkPool } from '../vault/core/buffer-pool.ts'
import { openVault, type Vault } from '../vault/vault.ts'
import { startEchoes } from './echoes.ts'
import { daemonMetrics } from './metrics.ts'
import { stopper } from './stop.ts'

const CLOSING_WAIT_MS = 15_000
const CLOSING_POLL_MS = 50

/** The process that started the daemon. */
interface Starter {
  /** Receives notices and, once INIT is answered, that the mount is ready. */
  tell(message: DaemonMessage): void
  /** False once it no longer waits for the mount. */
  isWaiting(): boolean
}

/**
 * Serves the vault until it is unmounted, and resolves to the exit code: 0 when everything is
 * durable. Rejects if it could not mount, or the starter no longer waits; nothing is left behind
 * then.
 */
export async function runDaemon(config: DaemonConfig, starter: Starter): Promise<number> {
  setLog('info', limited(standardErrorSink()))
  outliveErrors()
  followKernelClock()
  // The working directory would stay in use, and may be the mount point itself.
  process.chdir('/')
  const notice = (text: string): void => {
    log('info', text)
    starter.tell({ notice: text })
  }
  const lock = await lockWhenClosed(config)
  try {
    await clearRemains(config, lock, notice)
    const { cacheMb, commitMs, readOnly } = config.settings
    const interval = commitMs === undefined ? {} : { commitMs }
    const keeper = keeperOf(config.vaultPath, lock)
    const options = { cacheBytes: cacheMb * MIB, readOnly, keeper, ...interval }
    const vault = await openVault(config.vaultPath, options).catch((error: unknown) => {
      throw namingDamaged(config.vaultPath, MEND, error)
    })
    const searcher = Searcher.start(vault)
    try {
      await serve(config, vault, searcher, starter).finally(() => searcher.close())
    } finally {
      // The lock is released last: whoever gets it finds everything on disk.
      await vault.close()
    }
  } finally {
    lock.release()
  }
  log('info', `${config.vaultPath} is closed`)
  return 0
}

/**
 * Takes times from the kernel's coarse clock, which the kernel also uses for cached writes, so that
 * both kinds of times are in order.
 */
function followKernelClock(): void {
  const ns = new Uint32Array(1)
  const { coarseTime } = addon()
  setWallClock((into) => {
    into.sec = coarseTime(ns.buffer)
    into.ns = ns[0] as number
  })
}

/**
 * Takes the lock. A holder that serves no mount is about to close, or is a command, and is waited
 * for.
 */
async function lockWhenClosed(config: DaemonConfig): Promise<Lock> {
  const deadline = performance.now() + CLOSING_WAIT_MS
  for (;;) {
    try {
      return await acquireLock(config.vaultPath, config)
    } catch (error) {
      // A holder without a valid lock file may keep the vault for long.
      const isKnown = error instanceof LockedError && error.holder.pid !== 0
      const isClosing = isKnown && !isServing(error.holder)
      if (!isClosing || performance.now() > deadline) throw error
    }
    await sleep(CLOSING_POLL_MS)
  }
}

/** Clears what a killed daemon leaves: a lock file, and a mount point on which every call fails. */
async function clearRemains(
  config: DaemonConfig,
  lock: Lock,
  notice: (text: string) => void,
): Promise<void> {
  const { leftover } = lock
  if (leftover !== undefined) {
    const { pid, mountPoint } = leftover
    const where = mountPoint === null ? '' : ` with it mounted at ${mountPoint}`
    if (await isStillServed(leftover))
      notice(
        `${config.vaultPath} was copied while process ${pid} had it mounted at ${mountPoint}, and may be damaged: avfs vault check --deep tells; to copy a vault that is in use: avfs vault backup`,
      )
    else notice(`took over the lock of process ${pid}, which died${where}`)
  }
  const directories = new Set([config.mountPoint, leftover?.mountPoint ?? config.mountPoint])
  for (const directory of directories) {
    const mounted = mountAt(directory)
    // The lock file is not trusted: it may have come with the vault.
    if (mounted?.type.startsWith('fuse') !== true) continue
    if (directory !== config.mountPoint && !isOurs(mounted, config)) continue
    if (!(await isDeadMount(directory))) continue
    await unmount(directory, true)
    notice(`cleared the dead mount at ${directory}`)
  }
}

function isOurs({ type, source }: MountEntry, { name }: DaemonConfig): boolean {
  return type === MOUNT_TYPE && source === name
}

/**
 * Whether the holder in a lock file still serves its mount although this lock was free: then the
 * vault file is a copy.
 */
async function isStillServed(holder: LockHolder): Promise<boolean> {
  const { pid, mountPoint } = holder
  if (mountPoint === null || !isServing(holder) || processOf(pid) === undefined) return false
  return !(await isDeadMount(mountPoint))
}

async function serve(
  config: DaemonConfig,
  vault: Vault,
  search: Searcher,
  starter: Starter,
): Promise<void> {
  let session: Session | undefined
  const { readOnly, allowOther: shared, trace, pollUs, avfsdir } = config.settings
  const atime = atimeRule(config.settings)
  const memory = watchMemory()
  const operations = await retryUntilLoaded(() =>
    createFileSystem(vault, { readOnly, shared, avfsdir, atime, search, memory }),
  )
  memory.onShort(() => {
    vault.core.commits.nudge()
    clearCaches()
    shrinkPool()
    operations.dropCaches()
  })
  const echoes = startEchoes(operations.echo, config.mountPoint)
  const server = await startControlServer(config.socket, {
    vault,
    searcher: search,
    info: infoOf(config),
    kernel: {
      entryChanged: async (parent, name) => session?.notices.entryChanged(parent, name),
      inodeChanged: async (ino) => session?.notices.inodeChanged(ino),
      told: operations.kernelNotified,
      holds: operations.holds,
      echo: async (changes) => session && echoes.run(changes, session.notices),
    },
    metrics: () => daemonMetrics(vault, session?.metrics),
  })
  try {
    if (!starter.isWaiting()) throw new Error('whoever wanted the mount has gone')
    const channel = openDevice(mountDevice(config))
    await new Promise<void>((resolve) => {
      session = startSession({
        channel,
        operations,
        ...(pollUs === undefined ? {} : { pollUs }),
        ...(trace ? { trace: logTrace } : {}),
        onInit: () => {
          log('info', `${config.name} is mounted at ${config.mountPoint}`)
          starter.tell({ ready: { pid: process.pid } })
        },
        onDestroy: resolve,
      })
      const { notices } = session
      const sizeChanged = (ino: number): Promise<void> =>
        echoes.run({ names: [], inodes: [], sizes: [ino] }, notices)
      operations.setNotices({ ...notices, sizeChanged })
      const stop = stopper({ config, vault, session, over: resolve })
      process.on('SIGTERM', stop).on('SIGINT', stop)
    })
    log('info', `${config.mountPoint} is unmounted`)
  } finally {
    echoes.end()
    await server.close()
  }
}

function mountDevice({ name, mountPoint, settings }: DaemonConfig): number {
  const { readOnly, allowOther } = settings
  return mount({
    source: name,
    directory: mountPoint,
    readOnly,
    allowOther,
    options: [kernelOptions(settings)],
  })
}

function atimeRule({ flags }: MountSettings): AtimeRule {
  if (flags.includes('noatime')) return 'noatime'
  return flags.includes('strictatime') ? 'strictatime' : 'relatime'
}

/** Mounts have nosuid and nodev unless the settings say otherwise. */
function kernelOptions({ flags }: MountSettings): string {
  const lifted = ['suid', 'dev'].filter((flag) => !flags.includes(`no${flag}`))
  return [...lifted, ...flags].join(',')
}

function infoOf({ name, vaultPath, mountPoint }: DaemonConfig): DaemonInfo {
  return {
    name,
    path: vaultPath,
    mountPoint,
    pid: process.pid,
    version,
    since: new Date().toISOString(),
    methods: Object.keys(methods),
  }
}

/**
 * The entry point of the process that start-daemon.ts starts: its argument is a DaemonConfig, and
 * its parent waits until it is ready.
 */
async function main(argument: string): Promise<void> {
  const config = JSON.parse(argument) as DaemonConfig
  process.title = `avfs mount ${config.name} ${config.mountPoint}`
  // The terminal that it was started from may be closed.
  process.on('SIGHUP', () => undefined)
  // Only Node's own warnings are written there; on a full disk they must not become exceptions.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  const starter = parentProcess()
  try {
    process.exitCode = await runDaemon(config, starter)
  } catch (error) {
    log('error', `the daemon of ${config.name} failed`, error)
    starter.tell({ failed: toWire(error) })
    process.exitCode = 1
  }
  // Nothing may keep a daemon alive that no longer has a vault.
  process.exit()
}

/** The process at the other end of Node's IPC channel; it may end at any time. */
function parentProcess(): Starter {
  let isOver = false
  let isWaiting = true
  process.once('disconnect', () => {
    if (isOver) return
    // The parent has given up (Ctrl-C): then the mount must not stay.
    isWaiting = false
    log('info', 'whoever started this has gone')
    if (process.listenerCount('SIGTERM') > 0) process.kill(process.pid, 'SIGTERM')
  })
  return {
    isWaiting: () => isWaiting,
    tell(message) {
      if (!process.connected) return
      const isLast = !('notice' in message)
      isOver ||= isLast
      // With a callback, an error of the channel does not throw.
      process.send?.(message, undefined, undefined, () => undefined)
      if (isLast && process.connected) process.disconnect()
    },
  }
}

const [, script, argument] = process.argv
if (script === fileURLToPath(import.meta.url) && argument !== undefined) await main(argument)
