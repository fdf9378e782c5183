// Which path of which vault `export` and `import` mean: with --vault a path in that one; else as
// all commands take it, NAME:/path or a path in a mount; else, where there is only one vault, a
// path from its root.

import { lockHolder } from '../control/vaults/lock.ts'
import { findPlace, type Place } from '../control/vaults/place.ts'
import { listVaults } from '../control/vaults/vault-names.ts'
import { toBytes } from '../control/wire/byte-strings.ts'
import { ControlError } from '../control/wire/errors.ts'
import { bytesOfArgument } from './arguments.ts'
import { UsageError } from './errors.ts'

/** Throws ControlError, UsageError. */
export async function transferPath(argument: string, vault: string | undefined): Promise<Place> {
  const given = bytesOfArgument(argument)
  if (vault !== undefined) {
    if (!given.startsWith('/'))
      throw new UsageError(`with --vault the path in it begins with /, not '${argument}'`)
    return await findPlace(`${bytesOfArgument(vault)}:${given}`)
  }
  try {
    return await findPlace(given)
  } catch (error) {
    const only = given.startsWith('/') ? onlyVault() : undefined
    if (!(error instanceof ControlError) || error.kind !== 'missing' || only === undefined)
      throw error
    return await findPlace(only + given)
  }
}

/**
 * What goes before a path of the one vault that there is, or of the only one of them that is
 * mounted; a byte string.
 */
function onlyVault(): string | undefined {
  const vaults = listVaults()
  const mounted = vaults.filter(({ path }) => typeof lockHolder(path)?.mountPoint === 'string')
  const [only, other] = vaults.length === 1 ? vaults : mounted
  return only === undefined || other !== undefined ? undefined : toBytes(`${only.name}:`)
}
