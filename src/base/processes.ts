// Information from proc(5) on other processes: the process of a thread, and its name.

import { closeSync, openSync, readSync } from 'node:fs'

/**
 * A process; `command` is its comm, a byte string of up to 15 chars that a program may set itself.
 */
interface Process {
  readonly pid: number
  readonly command: string
}

interface Status extends Process {
  readonly parent: number
}

/** kthreadd: its children are kernel threads, where they are visible at all. */
const KERNEL = 2
/** Enough of /proc/PID/status for its first lines, among them Name, Tgid and PPid. */
const buffer = Buffer.alloc(256)
let kernelIsSeen: boolean | undefined

/**
 * The process of a thread; 'kernel' for a kernel thread, undefined if none is visible (any more).
 */
export function processOf(thread: number): Process | 'kernel' | undefined {
  const its = statusOf(thread)
  if (its === undefined) return undefined
  if (its.parent === KERNEL && isKernelSeen()) return 'kernel'
  // Threads have names of their own.
  const { pid, command } = its.pid === thread ? its : (statusOf(its.pid) ?? its)
  return { pid, command }
}

/** False in a pid namespace, where any process may have that number. */
function isKernelSeen(): boolean {
  kernelIsSeen ??= statusOf(KERNEL)?.command === 'kthreadd'
  return kernelIsSeen
}

function statusOf(id: number): Status | undefined {
  let descriptor: number
  try {
    descriptor = openSync(`/proc/${id}/status`, 'r')
  } catch {
    return undefined
  }
  try {
    const length = readSync(descriptor, buffer, 0, buffer.length, 0)
    const text = buffer.toString('latin1', 0, length)
    const field = (name: string): string =>
      new RegExp(`^${name}:\\t(.*)$`, 'm').exec(text)?.[1] ?? ''
    return { pid: Number(field('Tgid')), command: field('Name'), parent: Number(field('PPid')) }
  } catch {
    // It ended in between.
    return undefined
  } finally {
    closeSync(descriptor)
  }
}
