// `avfs vault create`: makes an empty vault, in the engine and at the place that are asked for.

import { existsSync, rmSync, symlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import type { CommandModule } from 'yargs'
import { stoppable } from '../../control/host/stopping.ts'
import { makeVaultsDirectory, newVault, type VaultPlace } from '../../control/vaults/vault-names.ts'
import { ControlError } from '../../control/wire/errors.ts'
import { filesOf, needBackend, persistentBackends } from '../../store/open.ts'
import { UsageError } from '../errors.ts'
import { printResult } from '../output.ts'
import { type VaultArguments, withVaultName } from './common.ts'

interface CreateArguments extends VaultArguments {
  backend: string | undefined
  path: string | undefined
}

export const vaultCreateCommand: CommandModule<object, CreateArguments> = {
  command: 'create <name>',
  describe: 'make an empty vault',
  builder: (yargs) =>
    withVaultName(yargs)
      .option('backend', {
        type: 'string',
        choices: persistentBackends.map(({ name }) => name),
        describe: 'the engine that stores it; sqlite unless the name ends as those of another do',
      })
      .option('path', { type: 'string', describe: 'where its file or folder is to be' })
      .example('$0 vault create myproject', 'makes the vault myproject')
      .example('$0 vault create ./here.avfs', 'makes a vault in this directory')
      .example(
        '$0 vault create photos --backend lmdb --path /data/photos',
        'another engine, elsewhere',
      ),
  handler: async ({ name, backend, path, json }) => {
    const place = newVault(name, backend)
    if (path !== undefined && name.includes('/'))
      throw new UsageError('with --path, the name is a plain one: the vault is found by it')
    const target = path === undefined ? place : elsewhere(path, place)
    await needBackend(place.backend)
    // Only the directory of vaults is made: a missing directory in a path that was typed is more
    // likely a mistake.
    if (!existsSync(dirname(target.path)) && (path !== undefined || name.includes('/')))
      throw new ControlError('failed', `there is no folder ${dirname(target.path)}`, target.path)
    makeVaultsDirectory(name, place)
    // What is in a vault may have any mode; the vault itself is its owner's alone.
    process.umask(0o077)
    await stoppable('nothing was made', () => make(target, place))
    printResult(
      json === true,
      { name: place.name, path: target.path, backend: place.backend },
      `created ${target.path}\nmount it with: avfs mount ${name} DIR`,
    )
  },
}

/** The same vault at the path that was asked for, with its engine's end. */
function elsewhere(path: string, { name, backend }: VaultPlace): VaultPlace {
  const slashed = path.includes('/') ? path : `./${path}`
  return { ...newVault(slashed, backend), name }
}

/** Makes the vault, and what leads to it by its name; leaves nothing when that fails. */
async function make(target: VaultPlace, place: VaultPlace): Promise<void> {
  try {
    const { createVault } = await import('../../vault/vault.ts')
    await createVault(target.path, target.backend)
    if (target.path !== place.path) symlinkSync(target.path, place.path)
  } catch (error) {
    for (const file of filesOf(target.path)) rmSync(file, { recursive: true, force: true })
    throw error
  }
}
