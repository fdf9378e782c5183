// `avfs vault stats`: the figures of a vault.

import type { CommandModule } from 'yargs'
import { callVault } from '../../control/call.ts'
import { existingVault } from '../../control/vault-names.ts'
import { printResult, properties } from '../output.ts'
import { type VaultArguments, withVaultName } from './common.ts'

export const vaultStatsCommand: CommandModule<object, VaultArguments> = {
  command: 'stats <name>',
  describe: 'show the figures of a vault',
  builder: (yargs) => withVaultName(yargs).example('$0 vault stats myproject --json', ''),
  handler: async ({ name, json }) => {
    const stats = await callVault(existingVault(name).path, 'stats', {}, () => undefined)
    printResult(json === true, stats, properties(stats))
  },
}
