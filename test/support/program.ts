// Runs programs for tests and reports clearly when one is missing: a test is never skipped for
// that. Knows nothing of avfs or mounts.

import { spawnSync } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * How a program ended: `status` is its exit code, or -1 when a signal or the time limit ended it.
 */
export interface Outcome {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly timeoutMs?: number
}

/** Runs a program to its end and returns what it said; throws only if it cannot be started. */
export function attempt(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Outcome {
  const { error, status, stdout, stderr } = spawnSync(program, args, {
    cwd: options.cwd,
    env: { ...process.env, LC_ALL: 'C.UTF-8', ...options.env },
    input: options.input ?? '',
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    timeout: options.timeoutMs ?? 120_000,
    killSignal: 'SIGKILL',
  })
  if (error !== undefined && status === null && 'code' in error && error.code !== 'ETIMEDOUT') {
    throw new Error(`cannot run ${program}: ${error.message}`)
  }
  return { status: status ?? -1, stdout, stderr }
}

/** Runs a program that has to succeed; returns its standard output without the last newline. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): string {
  const { status, stdout, stderr } = attempt(program, args, options)
  if (status !== 0) {
    throw new Error(`${program} ${args.join(' ')} ended with ${status}\n${stdout}${stderr}`)
  }
  return stdout.replace(/\n$/, '')
}

/** Fails with the name of the Debian package when a program is not on the PATH. */
export function needProgram(...names: readonly string[]): void {
  const missing = names.filter((name) => !onPath(name))
  if (missing.length === 0) return
  throw new Error(`${missing.join(', ')} missing; install them: apt-get install ${packages()}`)
}

function onPath(name: string): boolean {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return true
    } catch {
      // Not in this folder.
    }
  }
  return false
}

function packages(): string {
  return readFileSync(join(import.meta.dirname, 'packages.txt'), 'utf8')
    .trim()
    .split('\n')
    .join(' ')
}
