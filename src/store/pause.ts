// How a step that takes long lets others go on: it throws a Fault that is loaded when it is its
// turn again (base/turns.ts), and goes on from what it has kept. So it must have changed nothing,
// as with any Fault.

import { isSliceOver } from '../base/step.ts'
import { nextTurn } from '../base/turns.ts'
import { Fault } from './store.ts'

/**
 * Throws a Fault when the step has run for long enough now. Where nobody runs it in slices, it goes
 * on.
 */
export function pauseWhenDue(): void {
  if (isSliceOver()) throw new Fault(nextTurn, true)
}
