// A pool of chunk-sized buffers: a new ArrayBuffer for each chunk written would cost more in
// garbage collection than the writing itself.

import { CHUNK_BYTES } from '../../base/limits.ts'

/** Free buffers kept when nothing is written. */
const QUIET_MAX = 64
/** Free buffers kept at most: what a fast writer has in flight in all stages takes 80 MiB. */
let freeMax = QUIET_MAX

const free: Uint8Array[] = []

/** A buffer of `length` bytes with undefined content, from the pool when it is a whole chunk. */
export function takeBytes(length: number): Uint8Array {
  if (length !== CHUNK_BYTES) return new Uint8Array(length)
  return free.pop() ?? new Uint8Array(CHUNK_BYTES)
}

/** How much free buffers may take; what is given back beyond that, the garbage collector gets. */
export function limitPool(bytes: number): void {
  freeMax = Math.max(QUIET_MAX, Math.floor(bytes / CHUNK_BYTES))
}

/** Drops half of the free buffers. Called repeatedly while nothing is written. */
export function shrinkPool(): void {
  if (free.length > QUIET_MAX) free.length = Math.max(QUIET_MAX, free.length >>> 1)
}

/**
 * Returns bytes that nothing refers to any more; ignores those that are not a whole pool buffer.
 */
export function giveBytes(bytes: Uint8Array): void {
  const whole = bytes.length === CHUNK_BYTES && bytes.buffer.byteLength === CHUNK_BYTES
  if (whole && free.length < freeMax) free.push(bytes)
}
