// Directory listings: fuse_dirent and fuse_direntplus records, packed until the kernel's buffer is
// full. The TakeEntry that is handed to operations.readdir is made once and works on the listing
// that runs.

import type { Node, TakeEntry } from '../fs/operations.ts'
import { fuse_dirent, fuse_direntplus, fuse_entry_out } from './layout.ts'
import { PAYLOAD, putEntryAt, putU64, type Reply } from './reply.ts'

const D = fuse_dirent.offsets

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
      const offset = reply.length
      const nameOffset = offset + head + fuse_dirent.size
      const next = (nameOffset + name.length + 7) & ~7
      if (next > end) return false
      const { view, bytes } = reply
      if (head > 0) putDirentplus(reply, offset, node)
      putU64(view, offset + head + D.ino, ino)
      putU64(view, offset + head + D.off, cookie)
      view.setUint32(offset + head + D.namelen, name.length, true)
      view.setUint32(offset + head + D.type, type, true)
      bytes.latin1Write(name, nameOffset)
      for (let i = nameOffset + name.length; i < next; i++) bytes[i] = 0
      reply.length = next
      return true
    },
  }
}

// Nodeid 0 tells the kernel that this record has no attributes and counts no lookup: so for . and
// ..
function putDirentplus(reply: Reply, offset: number, node: Node | undefined): void {
  if (node === undefined) reply.bytes.fill(0, offset, offset + fuse_entry_out.size)
  else putEntryAt(reply.view, offset, node)
}

/** Calls `visit` with each node that a READDIRPLUS reply names, once a lookup. */
export function forEachListed(reply: Reply, visit: (ino: number) => void): void {
  const { view } = reply
  let offset = PAYLOAD
  while (offset < reply.length) {
    const nodeid = view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 4294967296
    if (nodeid !== 0) visit(nodeid)
    const namelen = view.getUint32(offset + fuse_direntplus.offsets.dirent + D.namelen, true)
    offset += (fuse_direntplus.size + namelen + 7) & ~7
  }
}
