// Starts a daemon in the background and waits until its mount answers. Knows only the messages of
// protocol.ts.

import { spawn } from 'node:child_process'
import { closeSync, constants, lstatSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { openOwn } from '../base/own-files.ts'
import { ControlError } from '../control/wire/errors.ts'
import { type DaemonConfig, type DaemonMessage, fromWire } from '../control/wire/protocol.ts'
import { keepInheritedFromChildren } from './inherited.ts'
import { notice } from './output.ts'

/**
 * How V8 uses memory. MiB of new space: its own 16 and more cost 100 MiB of resident memory in a
 * walk over a million files, and gain nothing. Percent of what lives that may be garbage: up to 300
 * by default, which makes the daemon half as large again, at the same processor time for a request.
 */
const MEMORY_FLAGS = ['--max-semi-space-size=8', '--heap-growing-percent=40']
// Buffers count as what they take; Node 22 does not know the flag.
if (Number.parseInt(process.versions.node, 10) >= 24)
  MEMORY_FLAGS.push('--external-memory-accounted-in-global-limit')

/** Beside this file's parent, with the same extension: .ts in a checkout, .js in the package. */
const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const daemonFile = fileURLToPath(new URL(`../daemon/daemon.${extension}`, import.meta.url))

/**
 * Returns the daemon's pid when it serves. Throws what it failed with; notices are passed on to
 * standard error.
 */
export async function startDaemon(config: DaemonConfig, logFile: string): Promise<number> {
  const log = openLog(logFile)
  keepInheritedFromChildren()
  const child = spawn(
    process.execPath,
    [...process.execArgv, ...MEMORY_FLAGS, daemonFile, JSON.stringify(config)],
    {
      // A session of its own: it outlives this terminal.
      detached: true,
      cwd: '/',
      stdio: ['ignore', log, log, 'ipc'],
    },
  )
  closeSync(log)
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on('message', (message: DaemonMessage) => {
        if ('notice' in message) notice(message.notice)
        else if ('ready' in message) resolve(message.ready.pid)
        else reject(fromWire(message.failed))
      })
      child.on('error', reject)
      child.on('exit', (code, signal) => {
        const how = signal === null ? `with exit code ${code}` : `by ${signal}`
        reject(new ControlError('failed', `the daemon ended ${how}; see ${logFile}`, logFile))
      })
    })
  } finally {
    if (child.connected) child.disconnect()
    child.unref()
  }
}

/** A file of this user's own, or a device such as /dev/null. */
function openLog(path: string): number {
  if (lstatSync(path, { throwIfNoEntry: false })?.isCharacterDevice() === true)
    return openSync(path, 'a')
  const { O_APPEND, O_CREAT, O_WRONLY } = constants
  return openOwn(path, O_WRONLY | O_APPEND | O_CREAT)
}
