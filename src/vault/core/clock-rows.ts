// Stores steps of the host's clock as rows of the vault, and reports them.

import { log } from '../../base/log.ts'
import { idempotent } from '../../base/step.ts'
import { clock } from '../../store/collections.ts'
import { clockText, clockTexts } from './clock-steps.ts'
import type { Core } from './core.ts'

/** Steps shown in `VaultInfo`. */
const TOLD_MAX = 5

/** Looks at the clock; stores and logs any step. */
export function noteClock({ moments, overlay }: Core): void {
  const fresh = moments.takeSteps()
  const before = moments.steps.rows.at(-fresh.length - 1)?.offset ?? 0
  fresh.forEach((row, at) => {
    idempotent(() => overlay.put(clock, row))
    log('warn', clockText(row, fresh[at - 1]?.offset ?? before))
  })
}

/** The most recent steps of the host's clock, newest first; null when there were none. */
export function lastSteps({ moments }: Core): string[] | null {
  const texts = clockTexts(moments.steps.rows)
  return texts.length === 0 ? null : texts.slice(-TOLD_MAX).reverse()
}
