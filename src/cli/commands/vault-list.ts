// `avfs vault list`: the vaults of this user, without opening any.

import { realpathSync } from 'node:fs'
import type { CommandModule } from 'yargs'
import { lockHolder } from '../../control/vaults/lock.ts'
import { listVaults, type VaultPlace, vaultsDirectory } from '../../control/vaults/vault-names.ts'
import { sizeOnDisk } from '../../store/open.ts'
import { formatBytes, printResult, table } from '../output.ts'
import type { CommonArguments } from './common.ts'

interface ListedVault extends VaultPlace {
  readonly bytes: number
  readonly changedAt: string
  readonly pid: number | null
  readonly mountPoint: string | null
}

export const vaultListCommand: CommandModule<object, CommonArguments> = {
  command: 'list',
  describe: 'show all vaults and where they are mounted',
  builder: (yargs) => yargs.example('$0 vault list --json', 'the same for programs'),
  handler: ({ json }) => {
    const vaults = listVaults().map(describe)
    const rows = vaults.map(({ name, backend, bytes, changedAt, mountPoint }) => [
      name,
      backend,
      formatBytes(bytes),
      changedAt,
      mountPoint ?? '-',
    ])
    const text =
      rows.length === 0
        ? `no vaults in ${vaultsDirectory()}; create one with: avfs vault create NAME`
        : table([['NAME', 'BACKEND', 'SIZE', 'CHANGED', 'MOUNTED AT'], ...rows])
    printResult(json === true, vaults, text)
  },
}

function describe(place: VaultPlace): ListedVault {
  const path = realpathSync(place.path)
  const holder = lockHolder(path)
  const { bytes, changedMs } = sizeOnDisk(path)
  return {
    ...place,
    path,
    bytes,
    changedAt: new Date(changedMs).toISOString(),
    pid: holder?.pid ?? null,
    mountPoint: holder?.mountPoint ?? null,
  }
}
