// What a command was handed by whoever started it, beside its input and outputs.

import { readdirSync, readFileSync } from 'node:fs'
import { addon } from '../base/native.ts'

/** O_CLOEXEC of open(2), which Node does not name. */
const CLOSED_AT_EXEC = 0o2000000

/**
 * Hands nothing on to programs started later, such as the pipe of a process substitution: a daemon
 * would hold it, and its other end wait, for as long as the vault is mounted. All of it stays open
 * here: some may be a file that a thread of Node is reading, as the certificates of
 * NODE_EXTRA_CA_CERTS, and whoever got its number next would be read and closed by that thread.
 */
export function keepInheritedFromChildren(): void {
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name)
    // Where it has gone since, there is nothing to hand on.
    if (fd > 2 && isInheritable(fd)) addon().closeAtExec(fd)
  }
}

function isInheritable(fd: number): boolean {
  try {
    const [, flags] =
      /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? []
    return flags !== undefined && (Number.parseInt(flags, 8) & CLOSED_AT_EXEC) === 0
  } catch {
    // That of the listing itself.
    return false
  }
}
