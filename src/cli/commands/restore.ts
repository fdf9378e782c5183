// `avfs restore`: a former state as a new version. `avfs undelete`: the last state of what is gone.

import type { CommandModule } from 'yargs'
import { ControlError } from '../../control/errors.ts'
import { findPlace, type Place } from '../../control/place.ts'
import { timeText } from '../../vault/when.ts'
import { bytesOfArgument } from '../arguments.ts'
import { UsageError } from '../errors.ts'
import { printResult } from '../output.ts'
import { ask, type PathArguments, placeOf, withPath, writtenBack } from './path-call.ts'
import { type StateArguments, wantedState, withState } from './state-options.ts'

interface RestoreArguments extends PathArguments, StateArguments {
  to: string | undefined
  delete: boolean
}

interface RestoreResult {
  readonly path: string
  readonly moment: number
  readonly version: number | null
  readonly restored: number
  readonly unchanged: number
  readonly removed: number
}

export const restoreCommand: CommandModule<object, RestoreArguments> = {
  command: 'restore <path>',
  describe: 'bring a former state back as a new version; nothing is lost',
  builder: (yargs) =>
    withState(withPath(yargs))
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
    if (state === undefined) {
      if (to !== undefined) throw new UsageError(WHICH)
      return report(args.json, place, await undelete(place, WHICH))
    }
    const parameters = { path: place.path, state, to, removeNewer: args.delete }
    report(args.json, place, (await ask(place, 'restore', parameters)) as RestoreResult)
  },
}

const WHICH = 'say which state to restore: -v N, --at WHEN or --snapshot NAME'

export const undeleteCommand: CommandModule<object, PathArguments> = {
  command: 'undelete <path>',
  describe: 'bring back what was deleted, with all that was in it',
  builder: (yargs) =>
    withPath(yargs)
      .example('$0 undelete ~/myproject/notes.txt', '')
      .example('$0 undelete myproject:/notes.txt~2', 'the deletion before the last one'),
  handler: async ({ path, json }) => {
    const place = await placeOf(path)
    report(json, place, await undelete(place, undefined))
  },
}

/** `otherwise`: what to say when the path is there. */
async function undelete(place: Place, otherwise: string | undefined): Promise<RestoreResult> {
  try {
    return (await ask(place, 'undelete', { path: place.path })) as RestoreResult
  } catch (error) {
    const isThere = error instanceof ControlError && error.kind === 'exists'
    throw isThere && otherwise !== undefined ? new UsageError(otherwise) : error
  }
}

async function targetOf(argument: string, place: Place): Promise<string> {
  const to = await findPlace(bytesOfArgument(argument))
  if (to.vaultPath === place.vaultPath) return to.path
  throw new UsageError(`--to must be in the same vault; for a copy elsewhere: avfs cat, or cp`)
}

function report(json: boolean | undefined, place: Place, result: RestoreResult): void {
  const path = place.show(result.path)
  const { restored, unchanged, removed, version, moment } = result
  const parts = [`${restored} restored`]
  if (unchanged > 0) parts.push(`${unchanged} unchanged`)
  if (removed > 0) parts.push(`${removed} removed`)
  const which = version === null ? '' : ` (version ${version})`
  printResult(
    json === true,
    { ...result, path, moment, state: new Date(moment / 1000).toISOString() },
    `${path}${which} is as it was at ${timeText(moment)}: ${parts.join(', ')}`,
  )
}
