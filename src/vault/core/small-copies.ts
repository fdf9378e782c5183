// Copies of small writes, carved from larger buffers: an ArrayBuffer for each write would cost more
// than its bytes.

import { takeBytes } from './buffer-pool.ts'

const SLAB_BYTES = 64 * 1024

let slab = new Uint8Array(SLAB_BYTES)
let used = 0

/** A copy that the caller owns. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.length > SLAB_BYTES / 4) {
    // Not slice(): that of a Buffer is a view, not a copy.
    const large = takeBytes(bytes.length)
    large.set(bytes)
    return large
  }
  if (used + bytes.length > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES)
    used = 0
  }
  const copy = slab.subarray(used, used + bytes.length)
  copy.set(bytes)
  used += bytes.length
  return copy
}
