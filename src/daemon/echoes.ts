// Lets programs that watch a mount notice changes made by commands: starts the process that repeats
// changes (echo-child.ts), sends it the steps (src/fs/echo.ts), and ends it after it has been idle
// for a while. One batch at a time.

import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { log } from '../base/log.ts'
import type { Echo } from '../fs/echo.ts'
import type { EchoTask } from '../fs/echo-step.ts'
import type { KernelNotices } from '../fs/operations.ts'
import { retryUntilLoaded } from '../store/retry.ts'
import type { Changes } from '../vault/core/gathered.ts'

/** A command waits no longer than this for watchers. */
const WAIT_MS = 10_000
const IDLE_MS = 5_000

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const childFile = fileURLToPath(new URL(`./echo-child.${extension}`, import.meta.url))

interface Echoes {
  /** Resolves when watchers have been notified, or after WAIT_MS. Never rejects. */
  run(changes: Changes, notices: Pick<KernelNotices, 'entryChanged'>): Promise<void>
  end(): void
}

export function startEchoes(echo: Pick<Echo, 'by' | 'plan' | 'clear'>, mountPoint: string): Echoes {
  const top = Buffer.from(mountPoint).toString('latin1')
  let child: ChildProcess | undefined
  let idle: NodeJS.Timeout | undefined
  let last: Promise<void> = Promise.resolve()

  function end(): void {
    clearTimeout(idle)
    echo.by(undefined)
    if (child?.connected === true) child.disconnect()
    child?.unref()
    child = undefined
  }

  function started(): ChildProcess {
    if (child?.connected === true) return child
    const made = spawn(process.execPath, [...process.execArgv, childFile], {
      cwd: '/',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    made.on('error', (error) => log('warn', 'who watches the mount cannot be told', error))
    made.on('exit', () => {
      if (child === made) end()
    })
    child = made
    echo.by(made.pid)
    return made
  }

  async function tell(
    changes: Changes,
    notices: Pick<KernelNotices, 'entryChanged'>,
  ): Promise<void> {
    clearTimeout(idle)
    const task = await retryUntilLoaded(() => echo.plan(changes, top))
    try {
      // Names looked up meanwhile are cached by the kernel and must be dropped first.
      await Promise.all(changes.names.map((its) => notices.entryChanged(its.parent, its.name)))
      if (task.steps.length > 0) await handOver(started(), task)
    } finally {
      echo.clear()
      idle = setTimeout(end, IDLE_MS).unref()
    }
  }

  return {
    end,
    run(changes, notices) {
      const { names, inodes, sizes = [] } = changes
      if (names.length + inodes.length + sizes.length === 0) return Promise.resolve()
      last = last
        .then(() => tell(changes, notices))
        .catch((error: unknown) => log('warn', 'who watches the mount was not told', error))
      return last
    },
  }
}

/**
 * Resolves when the process has done all steps or has ended, or after WAIT_MS, when it is killed.
 */
async function handOver(child: ChildProcess, task: EchoTask): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const heard = (refused: unknown): void => {
    if (Array.isArray(refused) && refused.length > 0)
      log('debug', `not seen by who watches: ${refused.length}, first ${refused[0]}`)
    resolve()
  }
  const late = setTimeout(() => {
    child.kill('SIGKILL')
    resolve()
  }, WAIT_MS)
  child.once('message', heard)
  child.once('exit', resolve)
  child.once('error', resolve)
  child.send(task, (error) => {
    if (error !== null) resolve()
  })
  await promise
  clearTimeout(late)
  child.off('message', heard)
  child.off('exit', resolve)
  child.off('error', resolve)
}
