// How a long step yields: it throws a Fault that loads when its turn comes again (base/turns.ts),
// and then continues from the progress that it has kept. As with any Fault, it must not have
// changed anything before.

import { isSliceOver } from '../base/step.ts'
import { nextTurn } from '../base/turns.ts'
import { Fault } from './store.ts'

/**
 * Throws a Fault when the current step has used up its time slice. Outside of slices it does
 * nothing.
 */
export function pauseWhenDue(): void {
  if (isSliceOver()) throw new Fault(nextTurn, true)
}
