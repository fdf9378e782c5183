// A past state of an inode as it is cached in memory.

import type { ExtentRow, InodePastRow } from '../../store/collections.ts'

export interface PastState {
  readonly row: InodePastRow
  /** Extents by chunk, as far as they are loaded. */
  readonly chunks: Map<number, readonly ExtentRow[]>
}

/** Approximate bytes of memory, for the cache's budget. */
export function costOfState({ chunks }: PastState): number {
  let bytes = 500
  for (const extents of chunks.values()) bytes += costOfExtents(extents)
  return bytes
}

/** Approximate bytes of memory of the extents of one chunk. */
export function costOfExtents(extents: readonly ExtentRow[]): number {
  let bytes = 100
  for (const { data } of extents) bytes += 160 + (data?.length ?? 0)
  return bytes
}
