// `avfs vault check`: looks for damage and changes nothing. Exit codes as fsck(8): 4 damage found, 8 the check failed.

import type { CommandModule } from 'yargs'
import { callVault } from '../../control/call.ts'
import { existingVault } from '../../control/vault-names.ts'
import type { CheckReport } from '../../vault/check.ts'
import { EXIT_CHECK_FAILED, EXIT_ERROR, EXIT_PROBLEMS, failureOf } from '../errors.ts'
import { formatBytes, printFailure, printResult, progressBar } from '../output.ts'
import { type VaultArguments, withVaultName } from './common.ts'

interface CheckArguments extends VaultArguments {
  deep: boolean
}

export const vaultCheckCommand: CommandModule<object, CheckArguments> = {
  command: 'check <name>',
  describe: 'look for damage; changes nothing, works on a mounted vault too',
  builder: (yargs) =>
    withVaultName(yargs)
      .option('deep', {
        type: 'boolean',
        default: false,
        describe: 'also read all content and compare it with its hashes',
      })
      .example('$0 vault check myproject --deep', 'reads everything that the vault holds')
      .epilogue('Exit codes: 0 sound, 4 problems found, 8 the check itself failed'),
  handler: async ({ name, deep, json }) => {
    try {
      const report = await check(name, deep)
      printResult(json === true, report, textOf(report))
      if (report.problems.length > 0) process.exitCode = EXIT_PROBLEMS
    } catch (error) {
      // No such vault and a vault in use keep their codes.
      if (failureOf(error).code !== EXIT_ERROR) throw error
      printFailure(json === true, error)
      process.exitCode = EXIT_CHECK_FAILED
    }
  },
}

async function check(name: string, deep: boolean): Promise<CheckReport> {
  const { path } = existingVault(name)
  const bar = progressBar('checking')
  try {
    return (await callVault(path, 'check', { deep }, bar.report)) as CheckReport
  } finally {
    bar.finish()
  }
}

function textOf(report: CheckReport): string {
  const found = report.problems.map(({ kind, message, path }) =>
    path === undefined ? `${kind}: ${message}` : `${kind}: ${message} (${path})`,
  )
  const size = `${report.inodes} inodes, ${report.blocks} blocks, ${formatBytes(report.bytes)}`
  const verdict = found.length === 0 ? 'sound' : `${found.length} problems`
  return [...found, `${verdict}: ${size}`].join('\n')
}
