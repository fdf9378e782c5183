// What a vault says of itself without a walk over its rows.

export interface VaultInfo {
  readonly id: string
  readonly backend: string
  readonly format: number
  readonly createdAt: string
  readonly path: string
  /** When the host's clock was set of late, the newest first; null when it never was. */
  readonly clock: readonly string[] | null
}

/**
 * Figures that cost no walk over rows (figures.ts gathers the others); `engine` holds the engine's
 * own.
 */
export interface VaultStats {
  readonly inodes: number
  readonly bytes: number
  readonly commits: number
  readonly open: number
  readonly orphans: number
  readonly dirtyBytes: number
  readonly blockHits: number
  readonly blockLoads: number
  /** The longest that background work held up others, by the clock and in processor time. */
  readonly longestSliceMs: number
  readonly longestSliceCpuMs: number
  readonly engine: Readonly<Record<string, number | string>>
}
