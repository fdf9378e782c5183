// What a command does to a path, as it tells it beforehand (--dry-run) or while it does it.

/**
 * changed: its attributes alone. kept: it would have gone, and stays because no history of it is
 * kept.
 */
export type Effect = 'created' | 'replaced' | 'changed' | 'removed' | 'kept'

/** Hears of each path, a byte string, that does not stay as it is. */
export type Heard = (effect: Effect, path: string) => void
