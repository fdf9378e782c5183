// `avfs import`: a file or folder of the host, an archive, a git repository or an exported history,
// into a vault.

import type { CommandModule } from 'yargs'
import { ArchiveError } from '../../archive/errors.ts'
import { HISTORY_DIRECTORY, historyFiles } from '../../archive/history-source.ts'
import type { Imported } from '../../control/methods/method-types.ts'
import { isMounted, type Place } from '../../control/vaults/place.ts'
import { ControlError } from '../../control/wire/errors.ts'
import { dashOf } from '../arguments.ts'
import { type DryRunArguments, effectParts, effectsHeard, withDryRun } from '../effects.ts'
import { UsageError } from '../errors.ts'
import { gitSource, hostSource, type ImportSource, tarSource } from '../import-source.ts'
import { formatBytes } from '../output.ts'
import { shownText } from '../terminal.ts'
import { sendRecords } from '../transfer.ts'
import { transferPath } from '../transfer-path.ts'
import { printSummary, type TransferReport, transferReport } from '../transfer-report.ts'
import { writtenBack } from './path-call.ts'

interface ImportArguments extends DryRunArguments {
  src: string
  dest: string | undefined
  vault: string | undefined
  format: 'dir' | 'tar'
  git: string | undefined
  'with-history': boolean
}

export const importCommand: CommandModule<object, ImportArguments> = {
  command: 'import <src> [dest]',
  describe: 'copy files of the host, an archive or a git repository into a vault',
  builder: (yargs) =>
    withDryRun(yargs)
      .positional('src', {
        type: 'string',
        demandOption: true,
        describe: 'a file or folder; with --format tar an archive, or - for standard input',
      })
      .positional('dest', {
        type: 'string',
        describe: 'what it becomes: a path in a mounted vault, NAME:/path, or /path of --vault',
      })
      .option('format', {
        choices: ['dir', 'tar'] as const,
        default: 'dir' as const,
        describe: 'files as they are, or what is in a tar archive (gzip and zstd too)',
      })
      .option('git', {
        type: 'string',
        requiresArg: true,
        describe: 'commits of this repository as versions: avfs import --git REPO DEST',
      })
      .option('with-history', {
        type: 'boolean',
        default: false,
        describe: 'what export --with-history made, into an empty vault',
      })
      .option('vault', {
        type: 'string',
        requiresArg: true,
        describe: 'the vault that /path is in',
      })
      .example('$0 import ~/Documents myproject:/documents', '')
      .example('$0 --vault newvault import /tmp/vault-export /', 'all of a folder, as the root')
      .example('$0 import --git ~/src/tool myproject:/tool', 'a version for each commit'),
  handler: async (args) => {
    const report = transferReport('import', args.json === true)
    try {
      await runImport({ ...args, src: dashOf(args.src) }, report)
    } finally {
      report.finish()
    }
  },
}

async function runImport(args: ImportArguments, report: TransferReport): Promise<void> {
  const { git, src, dest, vault, json } = args
  // With --git the one argument is the target.
  const given = git === undefined ? dest : src
  if (given === undefined || (git !== undefined && dest !== undefined))
    throw new UsageError(`say where to put it: avfs import ${git ? '--git REPO' : 'SRC'} DEST`)
  const place = await transferPath(given, vault)
  if (git !== undefined && (args['with-history'] || args.format === 'tar'))
    throw new UsageError('--git goes with neither --with-history nor --format')
  if (args['with-history'] && args['dry-run'])
    throw new UsageError(
      '--with-history fills an empty vault: there is nothing for --dry-run to say',
    )
  if (args['with-history']) return await runHistory(args, place, report)
  const source = await sourceOf(args, place, report)
  // What is there is compared as programs have written it.
  await writtenBack(place)
  let notes: readonly string[] = []
  const effects = effectsHeard(args, place)
  let failure: ArchiveError | undefined
  const result = await sendRecords(
    place,
    { basename: source.basename, dryRun: args['dry-run'] },
    effects,
    async (send) => {
      try {
        notes = await source.read(send)
      } catch (error) {
        if (!(error instanceof ArchiveError)) throw error
        failure = error
      }
    },
    report,
  )
  report.finish()
  const { files, directories, unchanged, bytes } = result
  const target = place.show(place.path)
  if (failure !== undefined) throw cutOff(failure, result, args['dry-run'])
  const same = unchanged > 0 ? `; ${unchanged} files were the same already` : ''
  const what = args['dry-run']
    ? effectParts(result).join(', ')
    : `${files} files and ${directories} directories`
  printSummary(
    json === true,
    { ...result, path: target, problems: report.problems, ...effects.shown },
    `${shownText(target)}: ${what}, ${formatBytes(bytes)}${same}`,
    notes,
  )
}

/** What came before the damage is in the vault: an import is no transaction. */
function cutOff({ message }: ArchiveError, result: Imported, dryRun: boolean): ControlError {
  const files = result.files + result.unchanged
  const verb = dryRun ? 'would be imported' : 'imported were'
  const before =
    files + result.directories === 0
      ? 'nothing was imported'
      : `${verb} the ${files} files and ${result.directories} directories before, and no more`
  return new ControlError('failed', `${message}: ${before}`)
}

async function sourceOf(
  { git, format, src }: ImportArguments,
  place: Place,
  report: TransferReport,
): Promise<ImportSource> {
  if (git !== undefined) return gitSource(git, report)
  return format === 'tar' ? tarSource(src, report) : await hostSource(src, place, report)
}

async function runHistory(
  { src, format, json }: ImportArguments,
  place: Place,
  report: TransferReport,
): Promise<void> {
  if (place.path !== '/') throw new UsageError('a history is that of a whole vault: DEST is /')
  if (isMounted(place))
    throw new UsageError(`unmount it first: avfs unmount ${place.mountPoint ?? place.vaultPath}`)
  const isFolder = format === 'dir'
  const directory = `${src.replace(/\/+$/, '')}/${HISTORY_DIRECTORY}`
  const source = isFolder ? await hostSource(directory, place, report) : tarSource(src, report)
  const { importHistory } = await import('../../control/offline/rebuild.ts')
  const result = await importHistory(place.vaultPath, async (take) => {
    // The folder itself is the top of what is read then.
    await source.read(historyFiles(take, isFolder))
    if (report.problems > 0) throw new RangeError('not all of the history could be read')
  })
  report.finish()
  const target = place.show('/')
  printSummary(
    json === true,
    { ...result, path: target },
    `${target}: ${result.rows} rows and ${result.blocks} blocks, as they were`,
    [],
  )
}
