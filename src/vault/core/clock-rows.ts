// The steps of the host's clock as rows of the vault, and as what people are told of them.

import { log } from '../../base/log.ts'
import { idempotent } from '../../base/step.ts'
import { clock } from '../../store/collections.ts'
import { clockText, clockTexts } from './clock-steps.ts'
import type { Core } from './core.ts'

/** Steps that a vault tells of itself. */
const TOLD_MAX = 5

/** Looks at the clock, writes down where it was set, and says so. */
export function noteClock({ moments, overlay }: Core): void {
  const fresh = moments.takeSteps()
  const before = moments.steps.rows.at(-fresh.length - 1)?.offset ?? 0
  fresh.forEach((row, at) => {
    idempotent(() => overlay.put(clock, row))
    log('warn', clockText(row, fresh[at - 1]?.offset ?? before))
  })
}

/** When the clock was set of late, the newest first; null when it never was. */
export function lastSteps({ moments }: Core): string[] | null {
  const texts = clockTexts(moments.steps.rows)
  return texts.length === 0 ? null : texts.slice(-TOLD_MAX).reverse()
}
