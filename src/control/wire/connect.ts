// The way to a daemon's socket: whose it is, and who answers, is known before a word is said. A
// socket in a folder that others can write, or one that another user listens on, may be anybody's.

import { lstatSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { errnoName } from '../../base/errno.ts'
import { addon } from '../../base/native.ts'
import { assertOwnFolder, isTrusted, ownUser, StrangerError } from '../../base/own-files.ts'

const OTHERS = 0o077

/**
 * The user whose socket is at `path`. Throws StrangerError unless it lies in a folder that only
 * that user can write, nobody else can connect to it, and he is this user or root; root may ask
 * all. Throws what lstat(2) says where there is none.
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
 * with what connect(2) says.
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

/** Who is at the other end of a Unix socket that is open. Throws where the kernel does not tell. */
export function peerUser(socket: Socket): number {
  // Node has no call for the descriptor of a socket.
  const { fd } = (socket as unknown as { readonly _handle: { readonly fd: number } })._handle
  const user = addon().peerUser(fd)
  if (user < 0) throw new Error(`who is at the other end is not known: ${errnoName(-user)}`)
  return user
}
