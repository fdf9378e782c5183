// Arguments that several commands share.

import type { Argv } from 'yargs'

/** What every command gets. */
export interface CommonArguments {
  json?: boolean | undefined
}

export interface VaultArguments extends CommonArguments {
  name: string
}

/** Adds the positional `name`. */
export function withVaultName<T>(yargs: Argv<T>): Argv<T & { name: string }> {
  return yargs.positional('name', {
    type: 'string',
    demandOption: true,
    describe: 'name of the vault; with a slash, path of its file',
  })
}
