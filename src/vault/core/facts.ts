// Facts about a vault that need no walk over its rows.

export interface VaultInfo {
  readonly id: string
  readonly backend: string
  readonly format: number
  readonly createdAt: string
  readonly path: string
  /** Recent steps of the host's clock, newest first; null when there were none. */
  readonly clock: readonly string[] | null
}

/**
 * Figures that need no walk over rows (figures.ts gathers the others); `engine` holds the engine's
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
  /** The longest that background work held up requests, in wall-clock and in processor time. */
  readonly longestSliceMs: number
  readonly longestSliceCpuMs: number
  readonly engine: Readonly<Record<string, number | string>>
}
