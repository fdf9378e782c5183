// `avfs vault create`: makes an empty vault.

import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { CommandModule } from 'yargs'
import { ControlError } from '../../control/errors.ts'
import { vaultPlace } from '../../control/paths.ts'
import { backends } from '../../store/open.ts'
import { createVault } from '../../vault/vault.ts'
import { printResult } from '../output.ts'
import { type VaultArguments, withVaultName } from './common.ts'

/** The engines whose vaults outlive a process. */
const persistent = backends.filter(({ suffix }) => suffix !== '').map(({ name }) => name)

interface CreateArguments extends VaultArguments {
  backend: string
}

export const vaultCreateCommand: CommandModule<object, CreateArguments> = {
  command: 'create <name>',
  describe: 'make an empty vault',
  builder: (yargs) =>
    withVaultName(yargs)
      .option('backend', {
        type: 'string',
        choices: persistent,
        default: 'sqlite',
        describe: 'the engine that stores it',
      })
      .example('$0 vault create myproject', 'makes the vault myproject')
      .example('$0 vault create ./here.avfs', 'makes a vault in this directory'),
  handler: async ({ name, backend, json }) => {
    const place = vaultPlace(name, process.env, backend)
    if (existsSync(place.path)) {
      throw new ControlError(
        'exists',
        `there is a vault '${name}' already (${place.path})`,
        place.path,
      )
    }
    // Only the directory of vaults is made: a missing directory in a path that was typed is more likely a mistake.
    if (!name.includes('/')) mkdirSync(dirname(place.path), { recursive: true, mode: 0o700 })
    // What is in a vault may have any mode; the vault itself is its owner's alone.
    process.umask(0o077)
    await createVault(place.path, backend)
    printResult(
      json === true,
      { name: place.name, path: place.path, backend },
      `created ${place.path}\nmount it with: avfs mount ${name} DIR`,
    )
  },
}
