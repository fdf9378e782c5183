// -v, --at and --snapshot: which state of a path a command is about.

import type { Argv } from 'yargs'
import { nowMicros } from '../../base/clock.ts'
import type { Wanted } from '../../control/methods/method-types.ts'
import { parseWhen, type When } from '../../vault/core/when.ts'
import { UsageError } from '../errors.ts'

export interface StateArguments {
  number: string | undefined
  at: string | undefined
  snapshot: string | undefined
}

/** Without -v: of commands that look through trees. */
export type MomentArguments = Pick<StateArguments, 'at' | 'snapshot'>

const AT = 'as of WHEN: 2026-11-22, "2026-11-22 10:00", 10m, 2h, 3d, yesterday, @1795000000'

/** Adds the options, of which one may be given; `range`: -v takes N..M too. */
export function withState<T>(yargs: Argv<T>, range = false): Argv<T & StateArguments> {
  return yargs
    .option('number', {
      type: 'string',
      alias: 'v',
      requiresArg: true,
      describe: range ? 'version N, or versions N..M' : 'version N, as avfs log counts them',
    })
    .option('at', {
      type: 'string',
      requiresArg: true,
      describe: AT,
    })
    .option('snapshot', {
      type: 'string',
      alias: 's',
      requiresArg: true,
      describe: 'as of a snapshot',
    })
    .conflicts({ number: ['at', 'snapshot'], at: 'snapshot' })
}

/** What was asked for, undefined when nothing was. Throws UsageError. */
export function wantedState({ number, at, snapshot }: StateArguments): Wanted | undefined {
  if (number !== undefined) return { version: versionNumber(number) }
  if (at !== undefined) return { when: whenOf(at) }
  return snapshot === undefined ? undefined : { snapshot }
}

/** Adds --at and --snapshot, of which one may be given. */
export function withMoment<T>(yargs: Argv<T>): Argv<T & MomentArguments> {
  return yargs
    .option('at', { type: 'string', requiresArg: true, describe: AT })
    .option('snapshot', { type: 'string', requiresArg: true, describe: 'as of a snapshot' })
    .conflicts('at', 'snapshot')
}

/** What was asked for, undefined when nothing was. Throws UsageError. */
export function wantedMoment({ at, snapshot }: MomentArguments): Wanted | undefined {
  return wantedState({ number: undefined, at, snapshot })
}

/** '3' -> 3. Throws UsageError. */
export function versionNumber(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new UsageError(`a version is a number from 1 on, not '${text}'`)
}

/** What a WHEN means, whatever the vault's clock says of it. Throws UsageError. */
export function whenOf(text: string): When {
  const when = parseWhen(text, nowMicros())
  if (when !== undefined && ('ago' in when || when.wall >= 0)) return when
  throw new UsageError(
    `'${text}' is no time: write 2026-11-22, "2026-11-22 10:00", 10m, 2h, 3d, yesterday or @SECONDS`,
  )
}

/**
 * The time of the host's clock that a WHEN means, to compare with times of files. Throws
 * UsageError.
 */
export function timeOf(text: string): number {
  const when = whenOf(text)
  return 'wall' in when ? when.wall : Math.max(0, nowMicros() - when.ago)
}
