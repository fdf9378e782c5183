// Connects to a daemon's socket after verifying its owner and its peer. A socket in a folder that
// others can write, or one on which another user listens, is not trusted.

import { lstatSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { errnoName } from '../../base/errno.ts'
import { addon } from '../../base/native.ts'
import { assertOwnFolder, isTrusted, ownUser, StrangerError } from '../../base/own-files.ts'

const OTHERS = 0o077

/**
 * The user who owns the socket at `path`. Throws StrangerError unless it lies in a folder that only
 * that user can write, nobody else can connect to it, and the user is this one or root; root may
 * connect to all. Throws the error of lstat(2) if it does not exist.
 */
export function socketOwner(path: string): number {
  const found = lstatSync(path)
  const { uid, mode } = found
  if (!isTrusted(uid) && ownUser() !== 0)
    throw new StrangerError(path, `is a socket of user ${uid}: no command is sent there`)
  assertOwnFolder(dirname(path), uid)
  if (!found.isSocket()) throw new StrangerError(path, 'is no socket')
  if ((mode & OTHERS) !== 0)
    throw new StrangerError(path, 'is open to other users: no command is sent there')
  return uid
}

/**
 * Connects. Rejects with StrangerError unless the owner of the socket (or root) listens there, or
 * with the error of connect(2).
 */
export async function connected(path: string): Promise<Socket> {
  const owner = socketOwner(path)
  const socket = connect(path)
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  const peer = peerUser(socket)
  if (peer === owner || peer === 0) return socket
  socket.destroy()
  throw new StrangerError(path, `is answered by user ${peer}: no command is sent there`)
}

/** The user at the other end of an open Unix socket. Throws if the kernel does not tell. */
export function peerUser(socket: Socket): number {
  // Node has no call for the descriptor of a socket.
  const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle
  const user = addon().peerUser(fd)
  if (user < 0) throw new Error(`who is at the other end is not known: ${errnoName(-user)}`)
  return user
}
