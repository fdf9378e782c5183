// How a command on trees names what it finds: as find(1), what the caller wrote and below it the
// path from there, in bytes.

import type { Place } from '../control/vaults/place.ts'
import { bytesOfArgument } from './arguments.ts'
import { vaultOf } from './commands/path-call.ts'

interface BasePath {
  readonly place: Place
  /** The path of what is below the base ('' for itself) as it is shown; both are byte strings. */
  show(below: string): string
}

/**
 * The place that a PATH names: a path in a mount, NAME:/path, or NAME for all of a vault. Throws
 * ControlError.
 */
export async function basePathOf(argument: string): Promise<BasePath> {
  const place = await vaultOf(argument)
  const given = bytesOfArgument(argument)
  const isName = !given.includes('/') && place.show('/') === `${argument}:/`
  const base = isName ? `${given}:/` : given
  return {
    place,
    show: (below) => (below === '' ? base : base + (base.endsWith('/') ? '' : '/') + below),
  }
}
