// `avfs vault check`: looks for damage, and with --repair mends it. Exit codes as fsck(8): 0 sound,
// 1 repaired, 4 damage is left, 8 the check failed.

import type { CommandModule } from 'yargs'
import type { VaultRepair } from '../../control/offline/repair-vault.ts'
import { existingVault } from '../../control/vaults/vault-names.ts'
import type { CheckReport } from '../../vault/check/check.ts'
import {
  EXIT_CHECK_FAILED,
  EXIT_CORRECTED,
  EXIT_ERROR,
  EXIT_PROBLEMS,
  failureOf,
  UsageError,
} from '../errors.ts'
import { formatBytes, printFailure, printLine, printResult, progressBar } from '../output.ts'
import { shownText } from '../terminal.ts'
import { type VaultArguments, withVaultName } from './common.ts'
import { callWithBar } from './path-call.ts'

interface CheckArguments extends VaultArguments {
  deep: boolean
  repair: boolean
  copy: boolean
}

export const vaultCheckCommand: CommandModule<object, CheckArguments> = {
  command: 'check <name>',
  describe: 'look for damage, mounted or not; --repair mends what it can',
  builder: (yargs) =>
    withVaultName(yargs)
      .option('deep', {
        type: 'boolean',
        default: false,
        describe: 'also read all content and compare it with its hashes',
      })
      .option('repair', {
        type: 'boolean',
        default: false,
        describe: 'mend a vault that is not mounted, and keep it as it was as NAME.damaged',
      })
      .option('copy', {
        type: 'boolean',
        default: true,
        describe: 'repair a copy; --no-copy repairs in place, where there is no room for one',
      })
      .example('$0 vault check myproject --deep', 'reads everything that the vault holds')
      .example('$0 vault check myproject --repair', 'deep, and prints each step')
      .epilogue(
        'Repair gives files without a name one in /lost+found, counts anew, and drops what cannot be read.\n' +
          'Exit codes: 0 sound, 1 repaired, 4 problems are left, 8 the check itself failed, 10 no such vault,\n' +
          '11 it is in use, 16 wrong usage',
      ),
  handler: async ({ name, deep, repair, copy, json }) => {
    if (!copy && !repair) throw new UsageError('--no-copy goes with --repair')
    try {
      if (repair) await repaired(name, copy, json === true)
      else await checked(name, deep, json === true)
    } catch (error) {
      // No such vault and a vault in use keep their codes.
      if (failureOf(error).code !== EXIT_ERROR) throw error
      printFailure(json === true, error)
      process.exitCode = EXIT_CHECK_FAILED
    }
  },
}

async function checked(name: string, deep: boolean, json: boolean): Promise<void> {
  const report = await check(name, deep)
  printResult(json, report, textOf(report))
  if (report.problems.length > 0) process.exitCode = EXIT_PROBLEMS
}

async function check(name: string, deep: boolean): Promise<CheckReport> {
  return await callWithBar(existingVault(name).path, 'check', { deep }, { title: 'checking' })
}

async function repaired(name: string, copy: boolean, json: boolean): Promise<void> {
  const bar = progressBar('checking')
  const steps: string[] = []
  let result: VaultRepair
  try {
    const { repairVault } = await import('../../control/offline/repair-vault.ts')
    result = await repairVault(name, {
      copy,
      onStep: (text) => {
        bar.finish()
        if (json) steps.push(text)
        else printLine(text)
      },
      report: bar.report,
    })
  } finally {
    bar.finish()
  }
  const { found, problems } = result
  printResult(
    json,
    { ...result, steps },
    `${textOf(result)}${found === 0 ? '' : `; ${found} problems at first`}`,
  )
  if (problems.length > 0) process.exitCode = EXIT_PROBLEMS
  else if (found > 0) process.exitCode = EXIT_CORRECTED
}

function textOf(report: CheckReport): string {
  const found = report.problems.map(({ kind, message, path }) =>
    path === undefined ? `${kind}: ${message}` : `${kind}: ${message} (${shownText(path)})`,
  )
  const size = `${report.inodes} inodes, ${report.blocks} blocks, ${formatBytes(report.bytes)}`
  const verdict = found.length === 0 ? 'sound' : `${found.length} problems`
  return [...found, `${verdict}: ${size}`].join('\n')
}
