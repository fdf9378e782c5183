// Identifies the caller on the control socket. The caller names itself in a header: only the
// vault's owner (and root) can connect, and Node does not expose SO_PEERCRED.

import type { Actor } from '../../vault/core/actors.ts'

/** The header that names the caller: 'UID PID COMMAND', all printable. */
export const CALLER_HEADER = 'avfs-caller'

const form = /^(\d{1,10}) (\d{1,10}) ([\x21-\x7e]{1,15})$/

/** This process as an actor. */
export function thisProcess(): Actor {
  return { uid: process.getuid?.() ?? 0, pid: process.pid, command: 'avfs' }
}

export function callerHeader(): string {
  const { uid, pid, command } = thisProcess()
  return `${uid} ${pid} ${command}`
}

/**
 * The caller named by the header. Without one (curl) the caller is taken for the socket's owner,
 * with no known process.
 */
export function callerOf(header: string | readonly string[] | undefined): Actor {
  const [, uid, pid, command] = form.exec(String(header)) ?? []
  if (command === undefined) return { uid: process.getuid?.() ?? 0, pid: 0, command: '' }
  return { uid: Number(uid), pid: Number(pid), command }
}
