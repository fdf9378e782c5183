// The reply to a request, encoded into one reused buffer; large answers (file data) are not copied
// there but listed as pieces that the device gathers. Knows the shapes that several operations
// answer with, and nothing of who answers.

import type { Node } from '../fs/operations.ts'
import { STATX_BASIC_STATS, STATX_BTIME } from './abi.ts'
import { type Bytes, bytesOf } from './bytes.ts'
import {
  fuse_attr,
  fuse_attr_out,
  fuse_entry_out,
  fuse_out_header,
  fuse_statx,
  fuse_statx_out,
  fuse_sx_time,
} from './layout.ts'

const H = fuse_out_header.offsets
const A = fuse_attr.offsets
const E = fuse_entry_out.offsets
const S = fuse_statx.offsets
const SX = fuse_sx_time.offsets
const TWO_32 = 4294967296

/** Where the payload of a reply begins. */
export const PAYLOAD = fuse_out_header.size
/**
 * Every change comes through the kernel or is announced to it (notify.ts), so what it holds stays
 * true; a day is long enough.
 */
const VALID_MS = 86_400_000
/** st_blksize. stdio reads that much at least, so it is the page, not the chunk. */
const BLOCK_BYTES = 4096
const nothing: readonly Uint8Array[] = []

export interface Reply {
  readonly buffer: ArrayBuffer
  readonly view: DataView
  readonly bytes: Bytes
  /** Bytes of the buffer that are used: the header and what was encoded. */
  length: number
  /** What follows the buffer's bytes. */
  pieces: readonly Uint8Array[]
}

/** A reply with room for a payload of `size` bytes. */
export function replyOf(size: number): Reply {
  const buffer = new ArrayBuffer(PAYLOAD + size)
  return {
    buffer,
    view: new DataView(buffer),
    bytes: bytesOf(buffer),
    length: PAYLOAD,
    pieces: nothing,
  }
}

/** Empties the reply. */
export function clear(reply: Reply): void {
  reply.length = PAYLOAD
  reply.pieces = nothing
}

/**
 * Writes the header for the payload that is there; returns the length of the whole message. `errno`
 * is positive or 0.
 */
export function seal(reply: Reply, uniqueLow: number, uniqueHigh: number, errno: number): number {
  let length = reply.length
  const { view, pieces } = reply
  for (let i = 0; i < pieces.length; i++) length += pieces[i]?.length ?? 0
  view.setUint32(H.len, length, true)
  view.setInt32(H.error, -errno, true)
  view.setUint32(H.unique, uniqueLow, true)
  view.setUint32(H.unique + 4, uniqueHigh, true)
  return length
}

/** Makes room for `size` zeroed bytes of payload and returns where they begin. */
export function grow(reply: Reply, size: number): number {
  const offset = reply.length
  reply.bytes.fill(0, offset, offset + size)
  reply.length = offset + size
  return offset
}

export function putU64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value, true)
  view.setUint32(offset + 4, value / TWO_32, true)
}

/** Signed: -1 becomes 64 ones. */
export function putI64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value, true)
  view.setInt32(offset + 4, Math.floor(value / TWO_32), true)
}

function putAttr(view: DataView, offset: number, node: Node): void {
  putU64(view, offset + A.ino, node.ino)
  putU64(view, offset + A.size, node.size)
  putU64(view, offset + A.blocks, node.blocks)
  putI64(view, offset + A.atime, node.atime)
  putI64(view, offset + A.mtime, node.mtime)
  putI64(view, offset + A.ctime, node.ctime)
  view.setUint32(offset + A.atimensec, node.atimeNs, true)
  view.setUint32(offset + A.mtimensec, node.mtimeNs, true)
  view.setUint32(offset + A.ctimensec, node.ctimeNs, true)
  view.setUint32(offset + A.mode, node.mode, true)
  view.setUint32(offset + A.nlink, node.nlink, true)
  view.setUint32(offset + A.uid, node.uid, true)
  view.setUint32(offset + A.gid, node.gid, true)
  view.setUint32(offset + A.rdev, node.rdev, true)
  view.setUint32(offset + A.blksize, BLOCK_BYTES, true)
  view.setUint32(offset + A.flags, 0, true)
}

/** How long the kernel may keep attributes. */
function validMs({ volatile, nameMs = 0 }: Node): number {
  return volatile ? nameMs : VALID_MS
}

/**
 * fuse_entry_out at `offset` (room must be there). The generation is 0: inode numbers are never
 * used again.
 */
export function putEntryAt(view: DataView, offset: number, node: Node): void {
  const attributesMs = validMs(node)
  const nameMs = node.nameMs ?? attributesMs
  putU64(view, offset + E.nodeid, node.ino)
  putU64(view, offset + E.generation, 0)
  putU64(view, offset + E.entry_valid, nameMs / 1000)
  putU64(view, offset + E.attr_valid, attributesMs / 1000)
  view.setUint32(offset + E.entry_valid_nsec, (nameMs % 1000) * 1e6, true)
  view.setUint32(offset + E.attr_valid_nsec, (attributesMs % 1000) * 1e6, true)
  putAttr(view, offset + E.attr, node)
}

/**
 * fuse_entry_out; without a node a negative entry, which the kernel keeps: this name is missing.
 */
export function putEntry(reply: Reply, node: Node | undefined): void {
  const offset = reply.length
  if (node === undefined) {
    grow(reply, fuse_entry_out.size)
    putU64(reply.view, offset + E.entry_valid, VALID_MS / 1000)
    return
  }
  reply.length = offset + fuse_entry_out.size
  putEntryAt(reply.view, offset, node)
}

/** fuse_attr_out */
export function putAttrOut(reply: Reply, node: Node): void {
  const offset = reply.length
  reply.length = offset + fuse_attr_out.size
  const ms = validMs(node)
  putU64(reply.view, offset + fuse_attr_out.offsets.attr_valid, ms / 1000)
  putU64(reply.view, offset + fuse_attr_out.offsets.attr_valid_nsec, (ms % 1000) * 1e6) // and dummy
  putAttr(reply.view, offset + fuse_attr_out.offsets.attr, node)
}

/** fuse_statx_out, with the birth time. */
export function putStatxOut(reply: Reply, node: Node): void {
  const { view } = reply
  const offset = grow(reply, fuse_statx_out.size)
  const ms = validMs(node)
  putU64(view, offset + fuse_statx_out.offsets.attr_valid, ms / 1000)
  view.setUint32(offset + fuse_statx_out.offsets.attr_valid_nsec, (ms % 1000) * 1e6, true)
  const stat = offset + fuse_statx_out.offsets.stat
  view.setUint32(stat + S.mask, STATX_BASIC_STATS | STATX_BTIME, true)
  view.setUint32(stat + S.blksize, BLOCK_BYTES, true)
  view.setUint32(stat + S.nlink, node.nlink, true)
  view.setUint32(stat + S.uid, node.uid, true)
  view.setUint32(stat + S.gid, node.gid, true)
  view.setUint16(stat + S.mode, node.mode, true)
  putU64(view, stat + S.ino, node.ino)
  putU64(view, stat + S.size, node.size)
  putU64(view, stat + S.blocks, node.blocks)
  putTime(view, stat + S.atime, node.atime, node.atimeNs)
  putTime(view, stat + S.btime, node.btime, node.btimeNs)
  putTime(view, stat + S.ctime, node.ctime, node.ctimeNs)
  putTime(view, stat + S.mtime, node.mtime, node.mtimeNs)
  // The kernel's new_encode_dev: mmmM MMmm in nibbles, 12 bits of major between 8 and 12 of minor.
  view.setUint32(stat + S.rdev_major, (node.rdev >>> 8) & 0xfff, true)
  view.setUint32(stat + S.rdev_minor, (node.rdev & 0xff) | ((node.rdev >>> 12) & 0xfff00), true)
}

function putTime(view: DataView, offset: number, time: number, ns: number): void {
  putI64(view, offset + SX.tv_sec, time)
  view.setUint32(offset + SX.tv_nsec, ns, true)
}

/** Bytes of a byte string, copied into the payload, and a NUL if asked for. */
export function putString(reply: Reply, value: string, terminated: boolean): void {
  const offset = reply.length
  const end = offset + reply.bytes.latin1Write(value, offset)
  if (terminated) reply.bytes[end] = 0
  reply.length = terminated ? end + 1 : end
}

/** Exact up to 2^53. */
export function getU64(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * TWO_32
}
