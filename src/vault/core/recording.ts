// Whether changes are recorded, and what was removed without a trace; see
// tree/history-recording.ts.

export interface History {
  isOn: boolean
  /** Changes are recorded now, whatever the settings say; see `withTrace`. */
  isKept: boolean
  /** Whether files that were closed and deleted within a second are kept. */
  isPassingKept: boolean
  /**
   * Whether history.exclude matches a name in a directory, or a directory above it; undefined
   * without such globs.
   */
  isExcluded: ((parent: number, name: string) => boolean) | undefined
  /** Inodes that were removed without a trace, and those of them whose rows can be swept. */
  readonly traceless: Set<number>
  readonly leftovers: Set<number>
  /** Hashes of blocks that may be unreferenced. */
  readonly suspects: Set<string>
  /** True while prune or a sweep runs; there is one at a time. */
  isSwept: boolean
}

export function newHistory(): History {
  return {
    isOn: true,
    isKept: false,
    isPassingKept: true,
    isExcluded: undefined,
    traceless: new Set(),
    leftovers: new Set(),
    suspects: new Set(),
    isSwept: false,
  }
}
