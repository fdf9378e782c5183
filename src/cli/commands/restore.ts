// `avfs restore`: a former state as a new version. `avfs undelete`: the last state of what is gone.

import type { CommandModule } from 'yargs'
import type { BroughtBack, PathEffect, Planned } from '../../control/methods/method-types.ts'
import { findPlace, type Place } from '../../control/vaults/place.ts'
import { ControlError } from '../../control/wire/errors.ts'
import type { Piece } from '../../control/wire/protocol.ts'
import { timeText } from '../../vault/core/when.ts'
import { bytesOfArgument } from '../arguments.ts'
import {
  type DryRunArguments,
  type Effects,
  effectParts,
  effectsHeard,
  withDryRun,
} from '../effects.ts'
import { UsageError } from '../errors.ts'
import { printResult } from '../output.ts'
import { shownText } from '../terminal.ts'
import { ask, type PathArguments, placeOf, withPath, writtenBack } from './path-call.ts'
import { type StateArguments, wantedState, withState } from './state-options.ts'

interface RestoreArguments extends PathArguments, StateArguments, DryRunArguments {
  to: string | undefined
  delete: boolean
}

export const restoreCommand: CommandModule<object, RestoreArguments> = {
  command: 'restore <path>',
  describe: 'bring a former state back as a new version; nothing is lost',
  builder: (yargs) =>
    withDryRun(withState(withPath(yargs)))
      .option('to', {
        type: 'string',
        requiresArg: true,
        describe: 'put it at another path of the same vault',
      })
      .option('delete', {
        type: 'boolean',
        default: false,
        describe: 'of a directory: also remove what was not in it then',
      })
      .example('$0 restore ~/myproject/notes.txt -v 3', 'version 3 is the newest one again')
      .example('$0 restore myproject:/src --at "2026-11-22 10:00" --to myproject:/src.old', ''),
  handler: async (args) => {
    const state = wantedState(args)
    const place = await placeOf(args.path)
    const to = args.to === undefined ? undefined : await targetOf(args.to, place)
    await writtenBack(place)
    const effects = effectsHeard(args, place)
    if (state === undefined) {
      if (to !== undefined) throw new UsageError(WHICH)
      return report(args, place, await undelete(args, place, effects, WHICH), effects)
    }
    const { 'dry-run': dryRun, delete: removeNewer } = args
    const parameters = { path: place.path, state, to, removeNewer, dryRun }
    const result = await ask(place, 'restore', parameters, takerOf(effects))
    report(args, place, result, effects)
  },
}

const WHICH = 'say which state to restore: -v N, --at WHEN or --snapshot NAME'

export const undeleteCommand: CommandModule<object, PathArguments & DryRunArguments> = {
  command: 'undelete <path>',
  describe: 'bring back what was deleted, with all that was in it',
  builder: (yargs) =>
    withDryRun(withPath(yargs))
      .example('$0 undelete ~/myproject/notes.txt', '')
      .example('$0 undelete myproject:/notes.txt~2', 'the deletion before the last one'),
  handler: async (args) => {
    const place = await placeOf(args.path)
    const effects = effectsHeard(args, place)
    report(args, place, await undelete(args, place, effects, undefined), effects)
  },
}

/** `otherwise`: what to say when the path is there. */
async function undelete(
  { 'dry-run': dryRun }: DryRunArguments,
  place: Place,
  effects: Effects,
  otherwise: string | undefined,
): Promise<BroughtBack> {
  try {
    return await ask(place, 'undelete', { path: place.path, dryRun }, takerOf(effects))
  } catch (error) {
    const isThere = error instanceof ControlError && error.kind === 'exists'
    throw isThere && otherwise !== undefined ? new UsageError(otherwise) : error
  }
}

function takerOf(effects: Effects): (piece: Piece<PathEffect>) => void {
  return (piece) => {
    if ('item' in piece) effects.take(piece.item)
  }
}

async function targetOf(argument: string, place: Place): Promise<string> {
  const to = await findPlace(bytesOfArgument(argument))
  if (to.vaultPath === place.vaultPath) return to.path
  throw new UsageError(`--to must be in the same vault; for a copy elsewhere: avfs cat, or cp`)
}

function report(
  { json }: DryRunArguments,
  place: Place,
  result: BroughtBack,
  effects: Effects,
): void {
  const path = place.show(result.path)
  const { moment } = result
  const isPlan = 'dryRun' in result
  const parts = isPlan ? effectParts(result) : doneParts(result)
  const which = isPlan || result.version === null ? '' : ` (version ${result.version})`
  const verb = isPlan ? 'would be' : 'is'
  printResult(
    json === true,
    { ...result, path, moment, state: new Date(moment / 1000).toISOString(), ...effects.shown },
    `${shownText(path)}${which} ${verb} as it was at ${timeText(moment)}: ${parts.join(', ')}`,
  )
}

function doneParts({
  restored,
  unchanged,
  removed,
  kept,
}: Exclude<BroughtBack, Planned>): string[] {
  const parts = [`${restored} restored`]
  if (unchanged > 0) parts.push(`${unchanged} unchanged`)
  if (removed > 0) parts.push(`${removed} removed`)
  if (kept > 0) parts.push(`${kept} kept, because no history of them is`)
  return parts
}
