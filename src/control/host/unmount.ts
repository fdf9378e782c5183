// Unmounts a FUSE mount, from outside the daemon or by it. The system's programs do it in a process
// of their own: unmounting writes back the kernel's cache, so the daemon must keep answering.

import { spawn } from 'node:child_process'
import { ControlError, systemCode } from '../wire/errors.ts'

interface ProgramResult {
  readonly status: number
  readonly stderr: string
}

/**
 * Unmounts `mountPoint`; `lazy` detaches it at once, and open files stay usable until they are
 * closed. Throws ControlError 'busy' if files or directories in it are in use, 'failed' otherwise.
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
 * Makes the kernel write back its cache for `mountPoint`; errors are left to the caller's own
 * flush. Returns early if `signal` aborts.
 */
export async function writeBack(mountPoint: string, signal?: AbortSignal): Promise<void> {
  await run('sync', ['-f', '--', mountPoint], signal)
}

/** Runs a program to its end, without a shell, or until `signal` ends it. */
export function run(
  program: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      cwd: '/',
      // The messages are parsed here.
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
      // In a system call it may not end for long, and is not waited for.
      child.stderr.destroy()
      child.unref()
      resolve({ status: 1, stderr })
    })
  })
}
