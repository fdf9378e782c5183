// Handles SIGINT, SIGTERM and SIGHUP for work of a command that must not be interrupted halfway.

import { constants } from 'node:os'
import { log } from '../../base/log.ts'
import { ControlError } from '../wire/errors.ts'

/** A signal ended the work at a safe point. */
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
  /** Throws StoppedError once a signal has come; for points at which nothing is half done. */
  assertGoing(): void
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Runs work that a signal must not interrupt halfway. The first signal is kept until the work
 * checks for it, which may be never; another one ends the process at once, as kill -9 would. `left`
 * tells people what state the stopped work leaves.
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

/**
 * Runs work that may end anywhere: a signal exits the process normally, releasing what it holds.
 */
export function endable<T>(work: () => Promise<T>): Promise<T> {
  return listening((signal) => process.exit(exitCodeOf(signal)), work)
}

/** The exit code that shells use for a process ended by a signal. */
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
