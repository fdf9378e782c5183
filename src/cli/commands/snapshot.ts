// `avfs snapshot ...`: names for moments of a whole vault.

import type { Argv, CommandModule } from 'yargs'
import { timeText } from '../../vault/core/when.ts'
import { printResult, table } from '../output.ts'
import type { CommonArguments } from './common.ts'
import { ask, vaultOf, writtenBack } from './path-call.ts'

interface WhereArguments extends CommonArguments {
  vault: string
}

interface NameArguments extends WhereArguments {
  name: string
}

function withVault<T>(yargs: Argv<T>): Argv<T & { vault: string }> {
  return yargs.positional('vault', {
    type: 'string',
    default: '.',
    describe: 'name of the vault, or a path in its mount',
  })
}

function withName<T>(yargs: Argv<T>): Argv<T & { name: string }> {
  return yargs.positional('name', {
    type: 'string',
    demandOption: true,
    describe: 'name of the snapshot',
  })
}

const create: CommandModule<object, NameArguments> = {
  command: 'create <name> [vault]',
  describe: 'name the state of now',
  builder: (yargs) =>
    withVault(withName(yargs)).example('$0 snapshot create before-upgrade myproject', ''),
  handler: async ({ name, vault, json }) => {
    const place = await vaultOf(vault)
    // A snapshot holds what programs have written, also what they keep open.
    await writtenBack(place)
    const result = await ask(place, 'snapshotCreate', { name })
    printResult(
      json === true,
      { ...result, createdAt: new Date(result.moment / 1000).toISOString() },
      `snapshot ${name} is the state of ${timeText(result.moment)}`,
    )
  },
}

const list: CommandModule<object, WhereArguments> = {
  command: 'list [vault]',
  describe: 'list the snapshots of a vault, oldest first',
  builder: (yargs) => withVault(yargs).example('$0 snapshot list myproject', ''),
  handler: async ({ vault, json }) => {
    const { snapshots } = await ask(await vaultOf(vault), 'snapshotList', {})
    printResult(
      json === true,
      snapshots.map((snapshot) => ({
        ...snapshot,
        createdAt: new Date(snapshot.createdAt / 1000).toISOString(),
      })),
      table([
        ['state of', 'snapshot'],
        ...snapshots.map(({ name, moment }) => [timeText(moment), name]),
      ]),
    )
  },
}

const remove: CommandModule<object, NameArguments> = {
  command: 'delete <name> [vault]',
  describe: 'forget a snapshot; the history stays',
  builder: (yargs) =>
    withVault(withName(yargs)).example('$0 snapshot delete before-upgrade myproject', ''),
  handler: async ({ name, vault, json }) => {
    const result = await ask(await vaultOf(vault), 'snapshotDelete', { name })
    printResult(json === true, result, `deleted snapshot ${name}`)
  },
}

const rename: CommandModule<object, NameArguments & { newname: string }> = {
  command: 'rename <name> <newname> [vault]',
  describe: 'give a snapshot another name',
  builder: (yargs) =>
    withVault(
      withName(yargs).positional('newname', {
        type: 'string',
        demandOption: true,
        describe: 'its new name',
      }),
    ).example('$0 snapshot rename monday before-upgrade myproject', ''),
  handler: async ({ name, newname, vault, json }) => {
    const parameters = { name, newName: newname }
    const result = await ask(await vaultOf(vault), 'snapshotRename', parameters)
    printResult(json === true, result, `snapshot ${name} is called ${newname} now`)
  },
}

export const snapshotCommand: CommandModule = {
  command: 'snapshot <command>',
  describe: 'create, list, delete and rename snapshots',
  builder: (yargs) =>
    yargs
      .command(create)
      .command(list)
      .command(remove)
      .command(rename)
      .demandCommand(1, 'say what to do with snapshots; avfs snapshot --help lists it')
      .example('$0 snapshot create before-upgrade', 'in a directory of a mounted vault'),
  handler: () => undefined,
}
