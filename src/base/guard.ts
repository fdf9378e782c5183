// The last line of defence of a process that serves a mount: an error that nobody caught is a bug,
// but no reason to take the directory away from everybody who works in it.

import { log } from './log.ts'

/** Begins each such line of the log, so that tests and people find it. */
export const UNCAUGHT = 'nobody caught this, and the mount goes on'

/** Logs what no code caught, with its cause, in place of ending the process. */
export function outliveErrors(): void {
  // Rejections that nobody hears arrive here too; the origin tells them apart.
  process.on('uncaughtException', (error, origin) => log('error', `${UNCAUGHT} (${origin})`, error))
}
