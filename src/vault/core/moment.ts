// A point in the vault's history.

/**
 * A point in the vault's history; later changes have greater moments, even when the host's clock
 * goes back.
 */
export type Moment = number
