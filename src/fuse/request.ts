// A request of the kernel, decoded in place: the bytes stay where the device put them, and fields
// are read at the offsets of layout.ts. One Request is reused for all requests; one that must wait
// takes a copy of its bytes along. Knows how numbers and names lie in a message, not what any
// message means.

import { EFBIG, EINVAL, fail } from '../base/errno.ts'
import type { Caller } from '../fs/operations.ts'
import { type Bytes, bytesOf } from './bytes.ts'
import { fuse_in_header } from './layout.ts'

const H = fuse_in_header.offsets
/** Where the arguments of a request begin. */
export const ARGUMENTS = fuse_in_header.size
const TWO_32 = 4294967296

/**
 * A request that contradicts the protocol. Answered EIO and logged: either the kernel or this
 * decoder is wrong.
 */
export class MalformedError extends Error {
  override readonly name = 'MalformedError'
}

export interface Request {
  readonly buffer: ArrayBuffer
  readonly view: DataView
  readonly bytes: Bytes
  /** Where the arguments end: extensions behind them are not read. */
  length: number
  opcode: number
  /** The two halves of fuse_in_header.unique, which is only ever echoed. */
  uniqueLow: number
  uniqueHigh: number
  nodeid: number
  readonly caller: Caller
  /** Where the next name begins. */
  cursor: number
}

/** A request over this buffer, which is yet to be filled. */
export function requestOver(buffer: ArrayBuffer): Request {
  return {
    buffer,
    view: new DataView(buffer),
    bytes: bytesOf(buffer),
    length: 0,
    opcode: 0,
    uniqueLow: 0,
    uniqueHigh: 0,
    nodeid: 0,
    caller: { uid: 0, gid: 0, pid: 0 },
    cursor: 0,
  }
}

/** The same request over its own copy of the bytes. */
export function copyRequest(request: Request): Request {
  const copy = requestOver(request.buffer.slice(0, request.view.getUint32(H.len, true)))
  decodeHeader(copy, copy.buffer.byteLength)
  return copy
}

/**
 * Reads the header of the `received` bytes; throws MalformedError when they are not one whole
 * request. The opcode is 0 then if not even the header was whole.
 */
export function decodeHeader(request: Request, received: number): void {
  const { view, caller } = request
  request.opcode = 0
  if (received < ARGUMENTS) throw new MalformedError(`a request of ${received} bytes`)
  request.opcode = view.getUint32(H.opcode, true)
  request.uniqueLow = view.getUint32(H.unique, true)
  request.uniqueHigh = view.getUint32(H.unique + 4, true)
  request.nodeid = u64(request, H.nodeid - ARGUMENTS)
  caller.uid = view.getUint32(H.uid, true)
  caller.gid = view.getUint32(H.gid, true)
  caller.pid = view.getUint32(H.pid, true)
  request.length = received - view.getUint16(H.total_extlen, true) * 8
  request.cursor = ARGUMENTS
  if (view.getUint32(H.len, true) !== received || request.length < ARGUMENTS) {
    throw new MalformedError(`a request of ${received} bytes that says it has others`)
  }
}

// Offsets below count from the beginning of the arguments, as the structs of layout.ts do.

export function u32(request: Request, offset: number): number {
  return request.view.getUint32(ARGUMENTS + offset, true)
}

/** Exact up to 2^53; above, the nearest double. */
export function u64(request: Request, offset: number): number {
  const { view } = request
  return (
    view.getUint32(ARGUMENTS + offset, true) + view.getUint32(ARGUMENTS + offset + 4, true) * TWO_32
  )
}

/**
 * An offset or length (the kernel's loff_t): EINVAL when negative, EFBIG when a double cannot hold
 * it.
 */
export function position(request: Request, offset: number): number {
  const value = u64(request, offset)
  if (value <= Number.MAX_SAFE_INTEGER) return value
  const negative = request.view.getInt32(ARGUMENTS + offset + 4, true) < 0
  return fail(negative ? EINVAL : EFBIG)
}

/**
 * Signed seconds; those that a double cannot hold become the nearest that it can, as kernels clamp
 * to a file system's range.
 */
export function seconds(request: Request, offset: number): number {
  const { view } = request
  const value =
    view.getUint32(ARGUMENTS + offset, true) + view.getInt32(ARGUMENTS + offset + 4, true) * TWO_32
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value))
}

/** The NUL-terminated byte string at the cursor, which moves behind it. */
export function takeName(request: Request): string {
  const { bytes, length, cursor } = request
  let end = cursor
  while (end < length && bytes[end] !== 0) end++
  if (end >= length) throw new MalformedError('a name without its NUL')
  if (end === cursor) throw new MalformedError('an empty name')
  request.cursor = end + 1
  return bytes.latin1Slice(cursor, end)
}

/** `size` bytes at the cursor: a view, valid until the next request. */
export function takeBytes(request: Request, size: number): Uint8Array {
  const offset = takeRoom(request, size) + ARGUMENTS
  return request.bytes.subarray(offset, offset + size)
}

/** The offset of `size` bytes at the cursor, which moves behind them. */
export function takeRoom(request: Request, size: number): number {
  const offset = request.cursor
  if (offset + size > request.length)
    throw new MalformedError(`${size} bytes announced, fewer sent`)
  request.cursor = offset + size
  return offset - ARGUMENTS
}
