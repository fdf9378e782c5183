// What each cache of a vault may take of its memory. The shares add up to one, so that --cache-mb
// is what all of them take together.

export const SHARES = {
  /** Plain bytes of blocks. */
  blocks: 5 / 16,
  /** The engine's own. */
  engine: 1 / 4,
  inodes: 1 / 8,
  /** Names of directories. */
  directories: 1 / 16,
  /** Inodes of the past. */
  pasts: 1 / 16,
  /** The search index. */
  search: 1 / 16,
  /** Buffers for the next writes. */
  freeBuffers: 1 / 8,
} as const
