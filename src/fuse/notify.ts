// Tells the kernel of changes that did not come through it, so that it drops what it has cached.
// Notices are sent from the thread pool: written from the main thread they could wait for a
// directory's lock that a process holds which waits for our reply. Those of names, which take that
// lock, and those of inodes, which do not, are two queues, each sent one after another: a reply may
// wait for an inode's notice, and must not wait behind one that waits for the reply.

import { ENODEV, ENOENT, ENOTCONN, errnoName } from '../base/errno.ts'
import { log } from '../base/log.ts'
import type { KernelNotices } from '../fs/operations.ts'
import { FUSE_NOTIFY_INVAL_ENTRY, FUSE_NOTIFY_INVAL_INODE } from './abi.ts'
import type { Channel } from './channel.ts'
import {
  fuse_notify_inval_entry_out,
  fuse_notify_inval_inode_out,
  fuse_out_header,
} from './layout.ts'
import { clear, grow, PAYLOAD, putI64, putString, putU64, type Reply, replyOf } from './reply.ts'

const INODE = fuse_notify_inval_inode_out
const ENTRY = fuse_notify_inval_entry_out

interface Notice {
  readonly encode: () => Uint8Array
  readonly sent: Promise<void>
  readonly resolve: () => void
}

/**
 * Notices over a channel. Under WRITEBACK_CACHE the kernel holds its own size, mtime and ctime of a
 * regular file for true as long as it knows the inode: inodeChanged drops the data, but a changed
 * size is seen only once entryChanged of the file's names has made the kernel forget it, and not by
 * those who have it open.
 */
export function createNotices(channel: Channel): KernelNotices {
  const entries = rowOf(channel)
  const inodes = rowOf(channel)
  return {
    entryChanged: (parent, name) =>
      entries.add(`${parent}/${name}`, () => encodeEntry(parent, name)),
    inodeChanged: (ino) => inodes.add(`${ino}`, () => encodeInode(ino, 0)),
    // Without data to drop the kernel takes no lock that a process could hold which waits for us.
    attributesChanged: (ino) => {
      encodeInode(ino, -1)
      report(channel.reply(message.buffer, message.length, noPieces))
    },
    sent: async () => {
      await Promise.all([entries.last(), inodes.last()])
    },
  }
}

interface Row {
  add(key: string, encode: () => Uint8Array): Promise<void>
  /** Resolves when all that was added so far is sent. */
  last(): Promise<void>
}

/**
 * A queue of notices, sent in order; one that already waits is not added again, since what is sent
 * later covers both changes.
 */
function rowOf(channel: Channel): Row {
  let last: Promise<void> = Promise.resolve()
  const waiting = new Map<string, Notice>()
  let sending = false

  async function sendAll(): Promise<void> {
    sending = true
    // So that a change made of several calls is sent when it is complete.
    await Promise.resolve()
    for (const [key, { encode, resolve }] of waiting) {
      waiting.delete(key)
      try {
        report(await channel.notify(encode()))
      } catch (error) {
        log('error', 'a notice to the kernel failed', error)
      }
      resolve()
    }
    sending = false
  }

  function add(key: string, encode: () => Uint8Array): Promise<void> {
    const before = waiting.get(key)
    if (before !== undefined) return before.sent
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.set(key, { encode, sent: promise, resolve })
    last = promise
    if (!sending) void sendAll()
    return promise
  }
  return { add, last: () => last }
}

// ENOENT: the kernel had nothing cached. ENOTCONN, ENODEV: there is no mount that could.
function report(result: number): void {
  if (result >= 0 || result === -ENOENT || result === -ENOTCONN || result === -ENODEV) return
  log('warn', `the kernel refused a notice: ${errnoName(-result)}`)
}

const message: Reply = replyOf(1024)
const noPieces: readonly Uint8Array[] = []

function encodeEntry(parent: number, name: string): Uint8Array {
  clear(message)
  const offset = grow(message, ENTRY.size)
  putU64(message.view, offset + ENTRY.offsets.parent, parent)
  message.view.setUint32(offset + ENTRY.offsets.namelen, name.length, true)
  putString(message, name, true)
  return finish(FUSE_NOTIFY_INVAL_ENTRY)
}

/** From `offset` to the end; a negative one stands for attributes alone. */
function encodeInode(ino: number, offset: number): Uint8Array {
  clear(message)
  const start = grow(message, INODE.size)
  putU64(message.view, start + INODE.offsets.ino, ino)
  putI64(message.view, start + INODE.offsets.off, offset)
  // A length of 0 means to the end.
  putI64(message.view, start + INODE.offsets.len, 0)
  return finish(FUSE_NOTIFY_INVAL_INODE)
}

/** A notification is a reply to nothing: unique 0, and its code in place of the errno. */
function finish(code: number): Uint8Array {
  const { view, bytes, length } = message
  view.setUint32(fuse_out_header.offsets.len, length, true)
  view.setInt32(fuse_out_header.offsets.error, code, true)
  bytes.fill(0, fuse_out_header.offsets.unique, PAYLOAD)
  return bytes.subarray(0, length)
}
