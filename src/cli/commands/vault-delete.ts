// `avfs vault delete`: removes a vault for good. Asks first on a terminal; elsewhere it wants
// --yes.

import { lstatSync, unlinkSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import type { CommandModule } from 'yargs'
import { stoppable } from '../../control/host/stopping.ts'
import { assertWritablePlace } from '../../control/methods/refusal.ts'
import { acquireLock } from '../../control/vaults/lock.ts'
import { readNote, removeNote } from '../../control/vaults/migration-note.ts'
import { finishSwitch } from '../../control/vaults/switch-files.ts'
import { removeFiles } from '../../control/vaults/vault-files.ts'
import { existingVault, migratedPaths, vaultPlace } from '../../control/vaults/vault-names.ts'
import { UsageError } from '../errors.ts'
import { printResult } from '../output.ts'
import { type VaultArguments, withVaultName } from './common.ts'

interface DeleteArguments extends VaultArguments {
  yes: boolean
}

export const vaultDeleteCommand: CommandModule<object, DeleteArguments> = {
  command: 'delete <name>',
  describe: 'remove a vault and all it holds, for good',
  builder: (yargs) =>
    withVaultName(yargs)
      .option('yes', { type: 'boolean', alias: 'y', default: false, describe: 'do not ask' })
      .example('$0 vault delete scratch --yes', 'removes the vault scratch'),
  handler: async ({ name, yes, json }) => {
    const { path } = existingVault(name)
    const named = vaultPlace(name).path
    assertWritablePlace(path)
    const lock = await acquireLock(path, { mountPoint: null, socket: null })
    try {
      const deleted = yes || (await confirm(name, path))
      if (deleted) await stoppable('it is there', async () => remove(path, named))
      printResult(json === true, { name, path, deleted }, deleted ? `deleted ${path}` : 'kept it')
    } finally {
      lock.release()
    }
  },
}

/**
 * With what a migration, a repair or an import that was cut short left of its copy; what a repair
 * kept stays.
 */
function remove(path: string, named: string): void {
  finishSwitch(path)
  const note = readNote(path)
  if (note !== undefined) removeFiles(migratedPaths(path, note.backend).partial)
  removeFiles(path)
  removeNote(path)
  if (lstatSync(named, { throwIfNoEntry: false })?.isSymbolicLink()) unlinkSync(named)
}

async function confirm(name: string, path: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new UsageError(`to delete ${path} without being asked, add --yes`)
  const dialog = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const typed = await dialog.question(`This deletes ${path} and its history. Type '${name}': `)
    return typed.trim() === name
  } finally {
    dialog.close()
  }
}
