// Detects daemons that run but do not answer: stopped (SIGSTOP, a debugger), or blocked. Callers
// give up after a while and say so, instead of waiting for ever.

import { readdirSync, readFileSync } from 'node:fs'
import { ControlError } from './errors.ts'

/**
 * After this long without a sign of life from a working daemon, it is asked whether it still
 * answers.
 */
export const QUIET_MS = 5_000
/** The time that it has to answer. */
export const ANSWER_MS = 10_000

/**
 * A daemon accepted the connection and does not answer. `pid`, if known, tells people which process
 * to continue.
 */
export class SilentDaemonError extends ControlError {
  constructor(socket: string, pid: number | undefined, cause?: unknown) {
    const who = pid === undefined ? `the daemon on ${socket}` : `the daemon, process ${pid},`
    const hint = pid !== undefined && isStopped(pid) ? stoppedHint(pid) : 'try again later'
    super('failed', `${who} does not answer: ${hint}`, socket, { cause })
    this.name = 'SilentDaemonError'
  }
}

function stoppedHint(pid: number): string {
  return `it is stopped; kill -CONT ${pid} lets it go on`
}

/** State T or t of proc(5): stopped by a signal, or by a debugger. */
function isStopped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return /^[Tt]$/.test(stat.slice(stat.lastIndexOf(')') + 2).slice(0, 1))
  } catch {
    return false
  }
}

/**
 * The process that appears to be the daemon of a mount point (daemon.ts); for messages only, since
 * any process may call itself that.
 */
export function daemonOf(mountPoint: string): number | undefined {
  const pid = readdirSync('/proc').find((name) => {
    if (!/^\d+$/.test(name)) return false
    try {
      const line = readFileSync(`/proc/${name}/cmdline`, 'utf8').replace(/\0+$/, '')
      return line.startsWith('avfs mount ') && line.endsWith(` ${mountPoint}`)
    } catch {
      return false
    }
  })
  return pid === undefined ? undefined : Number(pid)
}

/** Calls `silent` if `isThere` gets no answer after some time without a `sign` of life. */
interface SilenceWatch {
  sign(): void
  end(): void
}

/**
 * Watches an answer that may take arbitrarily long; `isThere` rejects if the daemon does not
 * answer.
 */
export function watchSilence(
  isThere: () => Promise<unknown>,
  silent: (cause: unknown) => void,
): SilenceWatch {
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  let signs = 0
  const ask = async (): Promise<void> => {
    const before = signs
    try {
      await isThere()
    } catch (error) {
      if (!isOver && before === signs) silent(error)
    }
    wait()
  }
  const wait = (): void => {
    clearTimeout(timer)
    if (!isOver) timer = setTimeout(() => void ask(), QUIET_MS)
  }
  wait()
  return {
    sign() {
      signs++
    },
    end() {
      isOver = true
      clearTimeout(timer)
    },
  }
}
