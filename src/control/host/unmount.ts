// Takes a FUSE mount away, from outside the daemon or by it. The programs of the system do the
// work, in a process of their own: unmounting writes back what the kernel holds, so the daemon must
// go on answering meanwhile.

import { spawn } from 'node:child_process'
import { ControlError, systemCode } from '../wire/errors.ts'

interface ProgramResult {
  readonly status: number
  readonly stderr: string
}

/**
 * Unmounts `mountPoint`; lazy: detaches it at once and lets open files go when they are closed.
 * Throws ControlError 'busy' when files or directories in it are in use, 'failed' otherwise.
 */
export async function unmount(mountPoint: string, lazy: boolean): Promise<void> {
  const result =
    process.getuid?.() === 0
      ? await run('umount', ['-i', ...(lazy ? ['-l'] : []), '--', mountPoint])
      : await run('fusermount3', ['-u', ...(lazy ? ['-z'] : []), '--', mountPoint])
  if (result.status === 0) return
  const reason = result.stderr.trim().split('\n')[0] ?? ''
  if (/busy/i.test(reason)) {
    throw new ControlError('busy', `${mountPoint} is busy`, mountPoint)
  }
  throw new ControlError('failed', `cannot unmount ${mountPoint}: ${reason}`, mountPoint)
}

/**
 * Makes the kernel write back all it holds for `mountPoint`; what fails is left to the caller's own
 * flush. Returns early when `signal` says so.
 */
export async function writeBack(mountPoint: string, signal?: AbortSignal): Promise<void> {
  await run('sync', ['-f', '--', mountPoint], signal)
}

/** Runs a program to its end, without a shell; or until `signal`, which ends it. */
export function run(
  program: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      cwd: '/',
      // The messages are read here.
      env: { ...process.env, LC_ALL: 'C' },
    })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.on('error', (error) => {
      const hint = systemCode(error) === 'ENOENT' ? `${program} is not installed` : error.message
      reject(new ControlError('failed', hint))
    })
    child.on('close', (status) => resolve({ status: status ?? 1, stderr }))
    signal?.addEventListener('abort', () => {
      child.kill('SIGKILL')
      // Within a system call it may not end for as long as that takes, and is not waited for.
      child.stderr.destroy()
      child.unref()
      resolve({ status: 1, stderr })
    })
  })
}
