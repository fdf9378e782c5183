// Ctrl-C, kill(1) and a terminal that is closed, for work of a command that must not be cut in two.

import { constants } from 'node:os'
import { log } from '../../base/log.ts'
import { ControlError } from '../wire/errors.ts'

/** A signal ended the work at a place where it can end. */
export class StoppedError extends ControlError {
  readonly signal: NodeJS.Signals
  constructor(signal: NodeJS.Signals, left: string) {
    super('failed', `stopped; ${left}`)
    this.name = 'StoppedError'
    this.signal = signal
  }
}

export interface Stopping {
  isStopped(): boolean
  /** Throws StoppedError once a signal has come; for places at which nothing is half done. */
  assertGoing(): void
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Runs work that a signal must not cut in two. The first one is kept until the work looks, which
 * may be never; another ends the process at once, as kill -9 would. `left` tells people what is so
 * when it was stopped.
 */
export function stoppable<T>(left: string, work: (stopping: Stopping) => Promise<T>): Promise<T> {
  let came: NodeJS.Signals | undefined
  const isStopped = (): boolean => came !== undefined
  const assertGoing = (): void => {
    if (came !== undefined) throw new StoppedError(came, left)
  }
  return listening(
    (signal) => {
      came = signal
      log('info', `${signal}: it ends where nothing is half done; another one ends it at once`)
    },
    () => work({ isStopped, assertGoing }),
  )
}

/** Runs work that may end anywhere, as a process that ends in order: what it holds is let go of. */
export function endable<T>(work: () => Promise<T>): Promise<T> {
  return listening((signal) => process.exit(exitCodeOf(signal)), work)
}

/** The exit code of a process that a signal ended, as shells have it. */
export function exitCodeOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}

async function listening<T>(
  hear: (signal: NodeJS.Signals) => void,
  work: () => Promise<T>,
): Promise<T> {
  const stop = (signal: NodeJS.Signals): void => {
    for (const its of SIGNALS) process.off(its, stop)
    hear(signal)
  }
  for (const its of SIGNALS) process.on(its, stop)
  try {
    return await work()
  } finally {
    for (const its of SIGNALS) process.off(its, stop)
  }
}
