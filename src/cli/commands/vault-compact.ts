// `avfs vault compact`: gives unused space of a vault back to the host.

import type { CommandModule } from 'yargs'
import { callVault } from '../../control/call.ts'
import { existingVault } from '../../control/vault-names.ts'
import { formatBytes, printResult } from '../output.ts'
import { type VaultArguments, withVaultName } from './common.ts'

export const vaultCompactCommand: CommandModule<object, VaultArguments> = {
  command: 'compact <name>',
  describe: 'give unused space back to the host',
  builder: (yargs) => withVaultName(yargs).example('$0 vault compact myproject', ''),
  handler: async ({ name, json }) => {
    const { path } = existingVault(name)
    const result = await callVault(path, 'compact', {}, () => undefined)
    const { bytesBefore, bytesAfter } = result as { bytesBefore: number; bytesAfter: number }
    printResult(
      json === true,
      result,
      `${formatBytes(bytesBefore)} before, ${formatBytes(bytesAfter)} after`,
    )
  },
}
