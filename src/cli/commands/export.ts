// `avfs export`: a file or directory of a vault, as it is or was, as files of the host or an
// archive; with its history if wanted.

import type { CommandModule } from 'yargs'
import { exitCodeOf } from '../../control/host/stopping.ts'
import type { Wanted } from '../../control/methods/method-types.ts'
import type { Place } from '../../control/vaults/place.ts'
import { dashOf } from '../arguments.ts'
import { UsageError } from '../errors.ts'
import { type ExportFormat, type ExportTarget, openTarget } from '../export-target.ts'
import { formatBytes } from '../output.ts'
import { receiveRecords } from '../transfer.ts'
import { transferPath } from '../transfer-path.ts'
import { printSummary, type TransferReport, transferReport } from '../transfer-report.ts'
import type { CommonArguments } from './common.ts'
import { writtenBack } from './path-call.ts'
import { type StateArguments, wantedState, withState } from './state-options.ts'

interface ExportArguments extends CommonArguments, StateArguments {
  src: string
  dest: string
  recursive: boolean
  vault: string | undefined
  format: ExportFormat
  'with-history': boolean
  holes: boolean
}

export const exportCommand: CommandModule<object, ExportArguments> = {
  command: 'export <src> <dest>',
  describe: 'copy a file or directory of a vault, as it is or was, out of it',
  builder: (yargs) =>
    withState(yargs)
      .positional('src', {
        type: 'string',
        demandOption: true,
        describe: 'a path in a mounted vault, NAME:/path, or /path of --vault',
      })
      .positional('dest', {
        type: 'string',
        demandOption: true,
        describe: 'what it becomes; a directory that is there is filled; - writes a tar to stdout',
      })
      .option('recursive', {
        type: 'boolean',
        alias: 'r',
        default: false,
        describe: 'also what is below a directory',
      })
      .option('format', {
        choices: ['dir', 'tar', 'sqlar'] as const,
        default: 'dir' as const,
        describe: 'files, a tar archive, or an SQLite archive',
      })
      .option('holes', {
        type: 'boolean',
        default: true,
        describe: '--no-holes: zeros for them in a tar, for readers that know no sparse files',
      })
      .option('with-history', {
        type: 'boolean',
        default: false,
        describe: 'of a whole vault: also every version, snapshot and tag, in .avfs-history',
      })
      .option('vault', {
        type: 'string',
        requiresArg: true,
        describe: 'the vault that /path is in',
      })
      .example('$0 export myproject:/ /tmp/vault-export --recursive', 'all of it')
      .example('$0 export ~/myproject/src old -r --at yesterday', 'as it was then')
      .example('$0 export myproject:/ backup.tar -r --format tar --with-history', ''),
  handler: async (given) => {
    const args = { ...given, dest: dashOf(given.dest) }
    const state = wantedState(args)
    const { format, recursive } = args
    const withHistory = args['with-history']
    if (withHistory && (!recursive || state !== undefined || format === 'sqlar'))
      throw new UsageError('--with-history is for all of a vault: --recursive, no state, no sqlar')
    if (!args.holes && format !== 'tar') throw new UsageError('--no-holes goes with --format tar')
    if (args.dest === '-' && (format !== 'tar' || args.json === true))
      throw new UsageError('only --format tar, without --json, is written to standard output')
    const place = await transferPath(args.src, args.vault)
    await writtenBack(place)
    const report = transferReport('export', args.json === true)
    let target: ExportTarget | undefined
    const stop = (signal: NodeJS.Signals): void => {
      // What is not whole must not look as if it were.
      void target?.end()
      report.finish()
      process.exit(exitCodeOf(signal))
    }
    process.once('SIGINT', stop).once('SIGTERM', stop)
    try {
      target = await openTarget(args, place, report)
      await exportTo(target, args, place, state, report)
    } finally {
      process.off('SIGINT', stop).off('SIGTERM', stop)
      await target?.end()
      report.finish()
    }
  },
}

async function exportTo(
  target: ExportTarget,
  args: ExportArguments,
  place: Place,
  state: Wanted | undefined,
  report: TransferReport,
): Promise<void> {
  const { dest, recursive, json } = args
  const history = args['with-history']
  const parameters = { path: place.path, state, recursive, history }
  const result = await receiveRecords(place, parameters, report, target.take)
  const outcome = await target.finish()
  report.finish()
  if (dest === '-') return
  const { files, directories, bytes } = result
  const what = `${files} files and ${directories} directories, ${formatBytes(bytes)}`
  printSummary(
    json === true,
    { ...result, path: dest, ...outcome.values, problems: report.problems },
    `${dest}: ${report.problems === 0 ? what : `not all of ${what}`}`,
    outcome.notes,
  )
}
