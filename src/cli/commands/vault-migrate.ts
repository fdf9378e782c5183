// `avfs vault migrate`: moves a vault to another engine with all it holds, or says what that would
// mean.

import type { CommandModule } from 'yargs'
import { stoppable } from '../../control/host/stopping.ts'
import {
  type MigrationReport,
  type MigrationStep,
  migrateVault,
} from '../../control/offline/migration.ts'
import { toText } from '../../control/wire/byte-strings.ts'
import { persistentBackends } from '../../store/open.ts'
import type { Damage } from '../../vault/check/read-all.ts'
import { EXIT_ERROR } from '../errors.ts'
import { formatBytes, notice, printResult, progressBar } from '../output.ts'
import { type VaultArguments, withVaultName } from './common.ts'

interface MigrateArguments extends VaultArguments {
  to: string
  'keep-original': boolean
  output: string | undefined
  'dry-run': boolean
  'skip-damaged': boolean
}

const engines = persistentBackends.map(({ name }) => name)

export const vaultMigrateCommand: CommandModule<object, MigrateArguments> = {
  command: 'migrate <name>',
  describe: 'move a vault to another engine, with all its history',
  builder: (yargs) =>
    withVaultName(yargs)
      .option('to', {
        type: 'string',
        choices: engines,
        demandOption: true,
        describe: 'the engine that is to store it',
      })
      .option('keep-original', {
        type: 'boolean',
        default: false,
        describe: 'keep the vault as it was, as NAME.original',
      })
      .option('output', {
        type: 'string',
        requiresArg: true,
        describe: 'make the copy at this path and leave the vault where it is',
      })
      .option('dry-run', {
        type: 'boolean',
        alias: 'n',
        default: false,
        describe: 'read and prove everything, say what it would be, change nothing',
      })
      .option('skip-damaged', {
        type: 'boolean',
        default: false,
        describe: 'leave behind what is damaged instead of refusing',
      })
      .example('$0 vault migrate myproject --to lmdb --dry-run', 'how large, how long')
      .example('$0 vault migrate myproject --to lmdb', 'from now on myproject is on LMDB'),
  handler: async ({
    name,
    to,
    output,
    'keep-original': keepOriginal,
    'dry-run': dryRun,
    'skip-damaged': skipDamaged,
    json,
  }) => {
    // What is in a vault may have any mode; the vault itself is its owner's alone.
    process.umask(0o077)
    const bars = stepBars()
    try {
      const report = await stoppable('nothing was changed', ({ assertGoing }) =>
        migrateVault(name, {
          ...{ to, output, keepOriginal, dryRun, skipDamaged, notice },
          damaged: (damage) => notice(`damaged: ${lineOf(damage)}`),
          onProgress: (...progress) => {
            assertGoing()
            bars.report(...progress)
          },
        }),
      )
      bars.finish()
      printResult(json === true, report, textOf(report))
      // What a migration would refuse.
      if (dryRun && !skipDamaged && report.damaged > 0) process.exitCode = EXIT_ERROR
    } finally {
      bars.finish()
    }
  },
}

/** One bar after the other. */
function stepBars(): {
  report: (step: MigrationStep, rows: number, bytes: number, total: number) => void
  finish(): void
} {
  let current: MigrationStep | undefined
  let bar = progressBar('')
  return {
    report(step, rows, bytes, total) {
      if (step !== current) {
        bar.finish()
        bar = progressBar(step, (done, all) => `${formatBytes(done)}/${formatBytes(all)}`)
        current = step
      }
      bar.report(bytes, Math.max(bytes, total), `, ${rows} rows`)
    },
    finish: () => bar.finish(),
  }
}

function lineOf({ collection, key, message }: Damage): string {
  if (key === undefined) return `${collection}: ${message}`
  const parts = key.map((part) => (typeof part === 'number' ? `${part}` : toText(part)))
  // A block's name is in its message, as people read it.
  return collection === 'block' ? message : `${collection} ${parts.join('/')}: ${message}`
}

function textOf(report: MigrationReport): string {
  const { from, to, original, rows, bytes, damaged, seconds } = report
  if (report.finished) return `${report.name} is on ${to.backend}: ${to.path}`
  const what = `${rows} rows, ${formatBytes(bytes)}`
  const skipped = damaged === 0 ? [] : [`${damaged} damaged`]
  if (report.dryRun)
    return [
      `${report.name}: ${what} would go from ${from.backend} to ${to.backend}`,
      ...report.collections.map(({ name, rows }) => `  ${name}: ${rows}`),
      ...skipped.map((text) => `${text}, for which it wants --skip-damaged`),
      `about ${formatBytes(to.bytes)} as ${to.path}, in about ${Math.ceil(seconds * 3)} s`,
      'nothing was changed',
    ].join('\n')
  return [
    `${report.name}: ${what} copied from ${from.backend} to ${to.backend} and verified`,
    ...skipped.map((text) => `${text} left behind`),
    `${from.path} (${formatBytes(from.bytes)}) -> ${to.path} (${formatBytes(to.bytes)})`,
    ...(original === null ? [] : [`the vault as it was: ${original}`]),
  ].join('\n')
}
