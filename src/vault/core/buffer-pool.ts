// Buffers of one chunk, used again: a new ArrayBuffer for each would keep the collector of garbage
// busier than the writer.

import { CHUNK_BYTES } from '../../base/limits.ts'

/**
 * More than these, 80 MiB, are left to the collector: what a writer in a hurry has on its way to
 * the disk, in all stages.
 */
const FREE_MAX = 640
/** So many are kept when nobody writes. */
const QUIET_MAX = 64

const free: Uint8Array[] = []

/** A buffer of `length` bytes, their content undefined: of the pool when it is a whole chunk. */
export function takeBytes(length: number): Uint8Array {
  if (length !== CHUNK_BYTES) return new Uint8Array(length)
  return free.pop() ?? new Uint8Array(CHUNK_BYTES)
}

/** Lets go of half of what is not in use. Called again and again while nobody writes. */
export function shrinkPool(): void {
  if (free.length > QUIET_MAX) free.length = Math.max(QUIET_MAX, free.length >>> 1)
}

/**
 * Gives bytes back that nobody holds any more. Those that are no buffer of the pool's size are let
 * go.
 */
export function giveBytes(bytes: Uint8Array): void {
  const whole = bytes.length === CHUNK_BYTES && bytes.buffer.byteLength === CHUNK_BYTES
  if (whole && free.length < FREE_MAX) free.push(bytes)
}
