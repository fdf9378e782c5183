// `avfs import`: a file or folder of the host, an archive or a git repository, into a vault.

import { dirname, posix } from 'node:path'
import type { CommandModule } from 'yargs'
import { nodeAt, readHost } from '../../archive/host-source.ts'
import { callVault } from '../../control/call.ts'
import { findPlace, type Place } from '../../control/place.ts'
import type { Feed } from '../../control/protocol.ts'
import { bytesOfArgument } from '../arguments.ts'
import { UsageError } from '../errors.ts'
import { formatBytes } from '../output.ts'
import { transferPlace } from '../transfer-place.ts'
import { printSummary, type TransferReport, transferReport } from '../transfer-report.ts'
import type { CommonArguments } from './common.ts'

interface ImportArguments extends CommonArguments {
  src: string
  dest: string | undefined
  vault: string | undefined
}

export const importCommand: CommandModule<object, ImportArguments> = {
  command: 'import <src> [dest]',
  describe: 'copy files of the host into a vault',
  builder: (yargs) =>
    yargs
      .positional('src', { type: 'string', demandOption: true, describe: 'a file or folder' })
      .positional('dest', {
        type: 'string',
        describe: 'what it becomes: a path in a mounted vault, NAME:/path, or /path of --vault',
      })
      .option('vault', {
        type: 'string',
        requiresArg: true,
        describe: 'the vault that /path is in',
      })
      .example('$0 --vault newvault import /tmp/vault-export /', 'all of a folder, as the root')
      .example('$0 import ~/Documents myproject:/documents', ''),
  handler: async (args) => {
    const { dest } = args
    if (dest === undefined) throw new UsageError('say where to put it: avfs import SRC DEST')
    const place = await transferPlace(dest, args.vault)
    const report = transferReport('import', args.json === true)
    try {
      await importFromHost(args, place, report)
    } finally {
      report.finish()
    }
  },
}

interface ImportResult {
  readonly directories: number
  readonly files: number
  readonly unchanged: number
  readonly bytes: number
}

async function importFromHost(
  args: ImportArguments,
  place: Place,
  report: TransferReport,
): Promise<void> {
  const given = bytesOfArgument(args.src)
  const source = posix.resolve(Buffer.from(process.cwd()).toString('latin1'), given)
  await assertApart(source, place)
  const feed: Feed = (send) =>
    readHost(source, send, {
      problem: (path, message) => report.problem(textOf(path), message),
      read: report.count,
      guarded: guardedOf(place),
    })
  const basename = posix.basename(source) || 'root'
  const result = await sendRecords(place, basename, feed, report)
  const { files, directories, unchanged, bytes } = result
  const target = place.show(place.path)
  const same = unchanged > 0 ? `, ${unchanged} were there already` : ''
  printSummary(
    args.json === true,
    { ...result, path: target, problems: report.problems },
    `${target}: ${files} files and ${directories} directories new, ${formatBytes(bytes)}${same}`,
    [],
  )
}

async function sendRecords(
  place: Place,
  basename: string,
  feed: Feed,
  report: TransferReport,
): Promise<ImportResult> {
  const result = await callVault(
    place.vaultPath,
    'import',
    { path: place.path, basename },
    () => undefined,
    (piece) => {
      if (piece instanceof Uint8Array) return
      const { path, message } = piece.item as { path: string; message: string }
      report.problem(place.show(Buffer.from(path).toString('latin1')), message)
    },
    feed,
  )
  return result as ImportResult
}

/** The files of the vault itself, should they lie in what is imported. */
function guardedOf({ vaultPath }: Place): { key: string; prefix: string } | undefined {
  const directory = nodeAt(Buffer.from(dirname(vaultPath)).toString('latin1'))
  if (typeof directory === 'number') return undefined
  const prefix = posix.basename(Buffer.from(vaultPath).toString('latin1'))
  return { key: directory.toString('latin1', 72, 88), prefix }
}

/** Throws UsageError when a directory of a mounted vault is to go into itself: that would never end. */
async function assertApart(source: string, place: Place): Promise<void> {
  const from = await findPlace(source).catch(() => undefined)
  if (from?.vaultPath !== place.vaultPath) return
  const above = from.path === '/' ? '/' : `${from.path}/`
  if (place.path === from.path || place.path.startsWith(above))
    throw new UsageError('a directory cannot be imported into itself')
}

function textOf(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString()
}
