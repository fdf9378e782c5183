// Whether to wait a little for the next request instead of sleeping until it comes. Waiting pays
// while requests come close together, so it goes on as long as a part of the waits is rewarded, and
// is tried now and then after that.

/**
 * A rewarded wait pays for so many in vain: a wake-up costs about as much as a whole wait, and
 * delays the caller too.
 */
const REWARD = 8
const CREDIT_MAX = 64
/** Without credit, one in so many occasions is used to try. */
const TRY_EVERY = 16

interface Patience {
  /** How long to wait for the next request, in microseconds; 0: not at all. */
  waitUs(): number
  /** A request came while waiting. */
  rewarded(): void
  /** The wait ended without one. */
  disappointed(): void
}

/** Patience of at most `pollUs` microseconds at a time; with 0 there is none. */
export function createPatience(pollUs: number): Patience {
  let credit = CREDIT_MAX
  let occasions = 0
  return {
    waitUs: () => (credit > 0 || ++occasions % TRY_EVERY === 0 ? pollUs : 0),
    rewarded() {
      credit = Math.min(credit + REWARD, CREDIT_MAX)
    },
    disappointed() {
      if (credit > 0) credit--
    },
  }
}
