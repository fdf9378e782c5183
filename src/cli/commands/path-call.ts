// What commands on a PATH share: the argument, and asking the vault that it leads to.

import type { Argv } from 'yargs'
import { callVault } from '../../control/call.ts'
import type {
  ItemOf,
  MethodName,
  ParametersOf,
  ResultOf,
} from '../../control/methods/method-types.ts'
import { findPlace, findVault, type Place } from '../../control/vaults/place.ts'
import { writtenBackAt } from '../../control/vaults/write-back.ts'
import type { Feed, Receive } from '../../control/wire/protocol.ts'
import { bytesOfArgument } from '../arguments.ts'
import { progressBar } from '../output.ts'
import type { CommonArguments } from './common.ts'

export interface PathArguments extends CommonArguments {
  path: string
}

/** Adds the positional `path`. */
export function withPath<T>(yargs: Argv<T>): Argv<T & { path: string }> {
  return yargs.positional('path', {
    type: 'string',
    demandOption: true,
    describe: 'a path in a mounted vault, or NAME:/path',
  })
}

/** The place that the argument names. Throws ControlError. */
export function placeOf(argument: string): Promise<Place> {
  return findPlace(bytesOfArgument(argument))
}

/** The vault that the argument names: NAME, NAME:/, or a path in its mount. Throws ControlError. */
export function vaultOf(argument: string): Promise<Place> {
  return findVault(bytesOfArgument(argument))
}

/**
 * Makes the kernel hand over what programs have written and not closed, if the vault is mounted.
 * Throws SilentDaemonError.
 */
export async function writtenBack({ mountPoint }: Pick<Place, 'mountPoint'>): Promise<void> {
  if (mountPoint !== undefined) await writtenBackAt(mountPoint)
}

/** Runs a method on a vault, with a bar on a terminal. Throws what callVault throws. */
export async function callWithBar<N extends MethodName>(
  vaultPath: string,
  method: N,
  parameters: ParametersOf<N>,
  { title = method, receive, feed }: CallOptions<N> = {},
): Promise<ResultOf<N>> {
  const bar = progressBar(title)
  try {
    return await callVault(vaultPath, method, parameters, bar.report, receive, feed)
  } finally {
    bar.finish()
  }
}

interface CallOptions<N extends MethodName> {
  /** What the bar says; the method's name if not told. */
  readonly title?: string
  readonly receive?: Receive<ItemOf<N>> | undefined
  readonly feed?: Feed | undefined
}

/** The same on the vault of a place. */
export function ask<N extends MethodName>(
  place: Place,
  method: N,
  parameters: ParametersOf<N>,
  receive?: Receive<ItemOf<N>>,
): Promise<ResultOf<N>> {
  return callWithBar(place.vaultPath, method, parameters, { receive })
}
