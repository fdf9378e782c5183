// Buffers of one chunk, used again: a new ArrayBuffer for each would keep the collector of garbage busier than the writer.

import { CHUNK_BYTES } from '../base/limits.ts'

/** More than these are left to the collector. */
const FREE_MAX = 256

const free: Uint8Array[] = []

/** A buffer of `length` bytes, their content undefined: of the pool when it is a whole chunk. */
export function takeBytes(length: number): Uint8Array {
  if (length !== CHUNK_BYTES) return new Uint8Array(length)
  return free.pop() ?? new Uint8Array(CHUNK_BYTES)
}

/** Gives bytes back that nobody holds any more. Those that are no buffer of the pool's size are let go. */
export function giveBytes(bytes: Uint8Array): void {
  const whole = bytes.length === CHUNK_BYTES && bytes.buffer.byteLength === CHUNK_BYTES
  if (whole && free.length < FREE_MAX) free.push(bytes)
}
