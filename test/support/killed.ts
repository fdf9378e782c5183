// A child process that is killed in the middle of its work, for tests of what a crash leaves.

import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Runs a script until some time after it first printed, kills it, and returns its whole lines: one
 * that was cut off counts for nothing.
 */
export async function linesUntilKilled(
  script: string,
  args: readonly string[],
  afterMs: number,
): Promise<string[]> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  let end = Promise.resolve()
  const exited = new Promise((resolve) => child.once('close', resolve))
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    if (printed === '') end = sleep(afterMs).then(() => void child.kill('SIGKILL'))
    printed += text
  })
  await exited
  await end
  return printed.split('\n').slice(0, -1)
}
