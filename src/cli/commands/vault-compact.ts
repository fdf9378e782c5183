// `avfs vault compact`: frees blocks that nothing uses any more and gives unused space of a vault
// back to the host.

import type { CommandModule } from 'yargs'
import type { Compacted } from '../../control/methods/method-types.ts'
import { existingVault } from '../../control/vaults/vault-names.ts'
import { formatBytes, printResult } from '../output.ts'
import { type VaultArguments, withVaultName } from './common.ts'
import { callWithBar } from './path-call.ts'

export const vaultCompactCommand: CommandModule<object, VaultArguments> = {
  command: 'compact <name>',
  describe: 'free blocks that nothing uses, give unused space back to the host',
  builder: (yargs) => withVaultName(yargs).example('$0 vault compact myproject', ''),
  handler: async ({ name, json }) => {
    const { path } = existingVault(name)
    const result = await callWithBar(path, 'compact', {}, { title: 'looking for unused blocks' })
    printResult(json === true, result, textOf(result))
  },
}

function textOf({ bytesBefore, bytesAfter, blocks, compacted }: Compacted): string {
  const lines = [
    `${formatBytes(bytesBefore)} before, ${formatBytes(bytesAfter)} after; freed ${blocks} unused blocks`,
  ]
  if (!compacted)
    lines.push(
      'the engine cannot give space back while the vault is mounted: what is free is used again; unmount to compact',
    )
  return lines.join('\n')
}
