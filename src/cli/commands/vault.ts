// `avfs vault ...`: the commands on a vault as a whole.

import type { CommandModule } from 'yargs'
import { vaultBackupCommand, vaultRestoreCommand } from './vault-backup.ts'
import { vaultCheckCommand } from './vault-check.ts'
import { vaultCompactCommand } from './vault-compact.ts'
import { vaultConfigCommand } from './vault-config.ts'
import { vaultCreateCommand } from './vault-create.ts'
import { vaultDeleteCommand } from './vault-delete.ts'
import { vaultInfoCommand } from './vault-info.ts'
import { vaultListCommand } from './vault-list.ts'
import { vaultMigrateCommand } from './vault-migrate.ts'
import { vaultStatsCommand } from './vault-stats.ts'
import { vaultTopCommand } from './vault-top.ts'

export const vaultCommand: CommandModule = {
  command: 'vault <command>',
  describe: 'create, list, inspect, check, compact, migrate, back up and delete vaults',
  builder: (yargs) =>
    yargs
      .command(vaultCreateCommand)
      .command(vaultListCommand)
      .command(vaultInfoCommand)
      .command(vaultStatsCommand)
      .command(vaultTopCommand)
      .command(vaultConfigCommand)
      .command(vaultCheckCommand)
      .command(vaultCompactCommand)
      .command(vaultMigrateCommand)
      .command(vaultBackupCommand)
      .command(vaultRestoreCommand)
      .command(vaultDeleteCommand)
      .demandCommand(1, 'say what to do with a vault; avfs vault --help lists it')
      .example('$0 vault create myproject', 'makes an empty vault')
      .example('$0 vault list', 'shows all vaults and where they are mounted'),
  handler: () => undefined,
}
