// `avfs vault info`: what a vault is, and who has it open.

import type { CommandModule } from 'yargs'
import { callVault } from '../../control/call.ts'
import { lockHolder } from '../../control/vaults/lock.ts'
import { existingVault } from '../../control/vaults/vault-names.ts'
import { printResult, properties } from '../output.ts'
import { type VaultArguments, withVaultName } from './common.ts'

export const vaultInfoCommand: CommandModule<object, VaultArguments> = {
  command: 'info <name>',
  describe: 'show what a vault is and where it is mounted',
  builder: (yargs) => withVaultName(yargs).example('$0 vault info myproject', ''),
  handler: async ({ name, json }) => {
    const place = existingVault(name)
    const holder = lockHolder(place.path)
    const info = await callVault(place.path, 'info', {}, () => undefined)
    const result = {
      name: place.name,
      ...info,
      mountPoint: holder?.mountPoint ?? null,
      pid: holder?.pid ?? null,
      socket: holder?.socket ?? null,
    }
    printResult(json === true, result, properties(result))
  },
}
