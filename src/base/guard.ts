// The last resort of a process that serves a mount: an uncaught error is a bug, but must not take
// the mount away from everybody who uses it.

import { log } from './log.ts'

/** Begins each such line of the log, so that tests and people find it. */
export const UNCAUGHT = 'nobody caught this, and the mount goes on'

/** Logs uncaught errors, with their cause, instead of ending the process. */
export function outliveErrors(): void {
  // Unhandled rejections arrive here too; `origin` tells them apart.
  process.on('uncaughtException', (error, origin) => log('error', `${UNCAUGHT} (${origin})`, error))
}
