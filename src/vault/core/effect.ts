// What a command does to a path, as reported by --dry-run or while it runs.

/**
 * changed: only its attributes. kept: would have been removed, but stays because it has no history.
 */
export type Effect = 'created' | 'replaced' | 'changed' | 'removed' | 'kept'

/** Called with each path, a byte string, that is affected. */
export type Heard = (effect: Effect, path: string) => void
