// `avfs hold`: keeps a path's history, or the state of a snapshot, from prune.

import type { CommandModule } from 'yargs'
import { toText } from '../../control/wire/byte-strings.ts'
import type { HoldRow } from '../../vault/prune/holds.ts'
import { bytesOfArgument } from '../arguments.ts'
import { printResult, table } from '../output.ts'
import { shownText } from '../terminal.ts'
import type { CommonArguments } from './common.ts'
import { ask, placeOf, vaultOf } from './path-call.ts'

interface HoldArguments extends CommonArguments {
  what: string
  release: boolean
}

export const holdCommand: CommandModule<object, HoldArguments> = {
  command: 'hold <what>',
  describe: 'keep the history of a path, or a snapshot, from avfs prune',
  builder: (yargs) =>
    yargs
      .positional('what', {
        type: 'string',
        demandOption: true,
        describe: 'a path, NAME:/path or NAME:SNAPSHOT; NAME alone lists what is held',
      })
      .option('release', {
        type: 'boolean',
        default: false,
        describe: 'let prune have it again',
      })
      .example('$0 hold ~/myproject/thesis', 'all versions of all that is below')
      .example('$0 hold myproject:before-upgrade', 'the state of a snapshot')
      .example('$0 hold myproject:before-upgrade --release', '')
      .example('$0 hold myproject', 'what is held'),
  handler: async ({ what, release, json }) => {
    const { place, name } = await targetOf(what)
    if (name === undefined) {
      const { holds } = await ask(place, 'holdList', {})
      const shown = holds.map((row) => ({ ...row, name: toText(row.name) }))
      printResult(json === true, shown, listOf(shown))
      return
    }
    await ask(place, release ? 'holdRelease' : 'holdAdd', { name })
    const shown = toText(name)
    printResult(
      json === true,
      { name: shown, held: !release },
      `${shownText(shown)} ${release ? 'is no longer held' : 'is held: avfs prune keeps it'}`,
    )
  },
}

/** What is to be held, as a byte string; none for the vault itself. */
async function targetOf(what: string) {
  const [, vault, snapshot] = /^([^:/]+):([^/]+)$/.exec(what) ?? []
  if (vault !== undefined && snapshot !== undefined)
    return { place: await vaultOf(vault), name: bytesOfArgument(snapshot) }
  if (what.includes('/')) {
    const place = await placeOf(what)
    return { place, name: place.path }
  }
  // A vault's name, or a path in the current directory: vaultOf tells which.
  const place = await vaultOf(what)
  return { place, name: place.path === '/' ? undefined : place.path }
}

function listOf(holds: readonly HoldRow[]): string {
  if (holds.length === 0) return 'nothing is held'
  const rows = holds.map(({ name, moment, createdAt }) => [
    shownText(name),
    moment === 0 ? 'all of its history' : `as of ${new Date(moment / 1000).toISOString()}`,
    new Date(createdAt / 1000).toISOString(),
  ])
  return table([['HELD', 'WHAT', 'SINCE'], ...rows])
}
