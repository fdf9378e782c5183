// Where the next write(2) of a process to a file begins, as proc_pid_fdinfo(5) tells: the kernel
// asks before each write whether the file may be written, but does not say where.

import { readdirSync, readFileSync } from 'node:fs'

/** A process with more descriptors is not looked at: somebody else waits meanwhile. */
const DESCRIPTORS_MAX = 256
const O_ACCMODE = 0o3
const O_APPEND = 0o2000

/**
 * True when all descriptors by which a process can write to a file stand at its end or beyond, or
 * always append. False as well when nothing can be known: the process is gone, somebody else's, or
 * in another PID namespace. pwrite(2) pays no heed to it.
 */
export function writesAtEnd(pid: number, ino: number, size: number): boolean {
  try {
    const folder = `/proc/${pid}/fdinfo`
    const names = readdirSync(folder)
    if (names.length > DESCRIPTORS_MAX) return false
    const own = names
      .map((name) => fieldsOf(readFileSync(`${folder}/${name}`, 'latin1')))
      .filter(({ ino: opened, flags }) => opened === ino && (flags & O_ACCMODE) !== 0)
    return own.length > 0 && own.every(({ flags, pos }) => (flags & O_APPEND) !== 0 || pos >= size)
  } catch {
    return false
  }
}

function fieldsOf(text: string): { ino: number; pos: number; flags: number } {
  const field = (name: string): string =>
    new RegExp(`^${name}:\\s*(\\d+)$`, 'm').exec(text)?.[1] ?? ''
  return {
    ino: Number(field('ino')),
    pos: Number(field('pos')),
    flags: Number.parseInt(field('flags'), 8),
  }
}
