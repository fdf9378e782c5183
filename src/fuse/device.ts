// The real Channel: a descriptor of /dev/fuse, read and written through the addon.

import { closeSync } from 'node:fs'
import { ENODEV } from '../base/errno.ts'
import { addon, type PollHandle } from '../base/native.ts'
import type { Channel } from './channel.ts'

/** What the addon takes in one write; writev(2) itself takes 1,024. */
const PIECES_MAX = 1000

/**
 * A channel on an open, non-blocking descriptor of /dev/fuse (mount.ts), which it owns from now on.
 */
export function openDevice(fd: number): Channel {
  const native = addon()
  let poll: PollHandle | undefined
  let closed = false
  let notices = 0

  // A thread of the pool may still be writing to the descriptor, whose number must not become
  // another file's.
  function closeWhenUnused(): void {
    if (closed && notices === 0) closeSync(fd)
  }

  return {
    receive: (into, pollUs) => (closed ? -ENODEV : native.receive(fd, into, pollUs)),
    reply(head, length, pieces) {
      if (closed) return -ENODEV
      const few = pieces.length <= PIECES_MAX ? pieces : [Buffer.concat(pieces)]
      return native.reply(fd, head, length, few)
    },
    async notify(bytes) {
      if (closed) return -ENODEV
      notices++
      try {
        return await native.notify(fd, bytes)
      } finally {
        notices--
        closeWhenUnused()
      }
    },
    start(onReadable) {
      const started = native.pollStart(fd, onReadable)
      if (typeof started === 'number') throw new Error(`polling /dev/fuse failed: ${started}`)
      poll = started
    },
    close() {
      if (closed) return
      closed = true
      if (poll !== undefined) native.pollStop(poll)
      closeWhenUnused()
    },
  }
}
