// `avfs vault config`: shows and changes what a vault keeps, and when it saves.

import type { CommandModule } from 'yargs'
import { callVault } from '../../control/call.ts'
import { existingVault } from '../../control/vaults/vault-names.ts'
import { UsageError } from '../errors.ts'
import { printResult } from '../output.ts'
import { type VaultArguments, withVaultName } from './common.ts'

interface ConfigArguments extends VaultArguments {
  changes: string[] | undefined
}

export const vaultConfigCommand: CommandModule<object, ConfigArguments> = {
  command: 'config <name> [changes..]',
  describe: 'show or change what a vault keeps, and what may be in it',
  builder: (yargs) =>
    withVaultName(yargs)
      .positional('changes', {
        type: 'string',
        array: true,
        describe: 'key=value; an empty value takes a key back to its default',
      })
      .example('$0 vault config myproject', 'all settings')
      .example('$0 vault config myproject keep.days=30 keep.monthly=12', 'rules for avfs prune')
      .example('$0 vault config myproject quota=10G quota.user.1000=2G', 'docs/quotas.md')
      .example('$0 vault config myproject history.exclude="node_modules/**"', ''),
  handler: async ({ name, changes = [], json }) => {
    const { path } = existingVault(name)
    const given = Object.fromEntries(changes.map(pairOf))
    const settings =
      changes.length === 0
        ? await callVault(path, 'configShow', {}, () => undefined)
        : await callVault(path, 'configSet', { changes: given }, () => undefined)
    const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}`)
    printResult(json === true, settings, lines.join('\n'))
  },
}

function pairOf(text: string): [string, string] {
  const equals = text.indexOf('=')
  if (equals < 1) throw new UsageError(`'${text}' is no setting: write key=value`)
  return [text.slice(0, equals), text.slice(equals + 1)]
}
