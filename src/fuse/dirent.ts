// Directory listings: fuse_dirent and fuse_direntplus records, packed until the kernel's buffer is full.
// The TakeEntry that is handed to operations.readdir is made once and works on the listing that runs.

import type { Node, TakeEntry } from '../fs/operations.ts'
import { fuse_dirent, fuse_direntplus, fuse_entry_out } from './layout.ts'
import { PAYLOAD, putEntryAt, putU64, type Reply } from './reply.ts'

const D = fuse_dirent.at

export interface Listing {
  readonly take: TakeEntry
  /** Starts a listing into the reply: at most `size` bytes of records. */
  begin(reply: Reply, size: number, plus: boolean): void
}

/** A listing; one is enough, as readdir runs to its end. */
export function createListing(): Listing {
  let reply: Reply | undefined
  let end = 0
  let head = 0
  return {
    begin(into, size, plus) {
      reply = into
      end = Math.min(into.length + size, into.buffer.byteLength)
      head = plus ? fuse_entry_out.size : 0
    },
    take(name, ino, type, cookie, node) {
      if (reply === undefined) return false
      const at = reply.length
      const nameAt = at + head + fuse_dirent.size
      const next = (nameAt + name.length + 7) & ~7
      if (next > end) return false
      const { view, bytes } = reply
      if (head > 0) putDirentplus(reply, at, node)
      putU64(view, at + head + D.ino, ino)
      putU64(view, at + head + D.off, cookie)
      view.setUint32(at + head + D.namelen, name.length, true)
      view.setUint32(at + head + D.type, type, true)
      bytes.latin1Write(name, nameAt)
      for (let i = nameAt + name.length; i < next; i++) bytes[i] = 0
      reply.length = next
      return true
    },
  }
}

// Nodeid 0 tells the kernel that this record has no attributes and counts no lookup: so for . and ..
function putDirentplus(reply: Reply, at: number, node: Node | undefined): void {
  if (node === undefined) reply.bytes.fill(0, at, at + fuse_entry_out.size)
  else putEntryAt(reply.view, at, node)
}

/** Calls `visit` with each node that a READDIRPLUS reply names, once a lookup. */
export function forEachListed(reply: Reply, visit: (ino: number) => void): void {
  const { view } = reply
  let at = PAYLOAD
  while (at < reply.length) {
    const nodeid = view.getUint32(at, true) + view.getUint32(at + 4, true) * 4294967296
    if (nodeid !== 0) visit(nodeid)
    const namelen = view.getUint32(at + fuse_direntplus.at.dirent + D.namelen, true)
    at += (fuse_direntplus.size + namelen + 7) & ~7
  }
}
