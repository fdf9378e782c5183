// What is known of whether changes are recorded, and of what went without a trace;
// tree/history-recording.ts says what it means.

export interface History {
  isOn: boolean
  /** What happens now leaves a trace, whatever is configured: see `withTrace`. */
  isKept: boolean
  /** Whether what was closed and deleted before anybody can have seen it is kept. */
  isPassingKept: boolean
  /**
   * Whether history.exclude names a name in a directory, or one above it; undefined where it names
   * nothing.
   */
  isExcluded: ((parent: number, name: string) => boolean) | undefined
  /** Inodes that went without a trace, in use or not, and those of them whose rows can be swept. */
  readonly traceless: Set<number>
  readonly leftovers: Set<number>
  /** Hashes of blocks that may have lost their last user. */
  readonly suspects: Set<string>
  /** Prune or a sweep is at work: there is one at a time. */
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
