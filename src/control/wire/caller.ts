// Who asks over the control socket. A caller names itself in a header: only the owner of the vault
// (and root) can connect, and Node does not hand out what SO_PEERCRED says.

import type { Actor } from '../../vault/core/actors.ts'

/** The header that names the caller: 'UID PID COMMAND', all of it printable. */
export const CALLER_HEADER = 'avfs-caller'

const form = /^(\d{1,10}) (\d{1,10}) ([\x21-\x7e]{1,15})$/

/** The process that this runs in, as an actor. */
export function thisProcess(): Actor {
  return { uid: process.getuid?.() ?? 0, pid: process.pid, command: 'avfs' }
}

/** The header of this process. */
export function callerHeader(): string {
  const { uid, pid, command } = thisProcess()
  return `${uid} ${pid} ${command}`
}

/**
 * Who the header names. One that does not (curl) is somebody who may use the socket: its owner, as
 * far as is known.
 */
export function callerOf(header: string | readonly string[] | undefined): Actor {
  const [, uid, pid, command] = form.exec(String(header)) ?? []
  if (command === undefined) return { uid: process.getuid?.() ?? 0, pid: 0, command: '' }
  return { uid: Number(uid), pid: Number(pid), command }
}
