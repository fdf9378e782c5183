// `avfs export`: a file or directory of a vault, as it is or was, as files of the host or an archive.

import { posix } from 'node:path'
import type { CommandModule } from 'yargs'
import { hostSink, type Refused } from '../../archive/host-sink.ts'
import { recordsIn } from '../../archive/records.ts'
import { callVault } from '../../control/call.ts'
import type { Place } from '../../control/place.ts'
import { bytesOfArgument } from '../arguments.ts'
import { formatBytes } from '../output.ts'
import { transferPlace } from '../transfer-place.ts'
import { printSummary, type TransferReport, transferReport } from '../transfer-report.ts'
import type { CommonArguments } from './common.ts'
import { writtenBack } from './path-call.ts'
import { type StateArguments, wantedState, withState } from './state-options.ts'

interface ExportArguments extends CommonArguments, StateArguments {
  src: string
  dest: string
  recursive: boolean
  vault: string | undefined
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
        describe: 'what it becomes; a directory that is there is filled',
      })
      .option('recursive', {
        type: 'boolean',
        alias: 'r',
        default: false,
        describe: 'also what is below a directory',
      })
      .option('vault', {
        type: 'string',
        requiresArg: true,
        describe: 'the vault that /path is in',
      })
      .example('$0 export myproject:/ /tmp/vault-export --recursive', 'all of it')
      .example('$0 export ~/myproject/src old -r --at yesterday', 'as it was then'),
  handler: async (args) => {
    const state = wantedState(args)
    const place = await transferPlace(args.src, args.vault)
    await writtenBack(place)
    const json = args.json === true
    const report = transferReport('export', json)
    try {
      await exportToHost(args, place, state, report)
    } finally {
      report.finish()
    }
  },
}

interface ExportResult {
  readonly directories: number
  readonly files: number
  readonly bytes: number
  readonly moment: number
}

async function exportToHost(
  { dest, recursive, json }: ExportArguments,
  place: Place,
  state: object | undefined,
  report: TransferReport,
): Promise<void> {
  const root = bytesOfArgument(dest)
  const sink = hostSink(posix.resolve(bytesOf(process.cwd()), root), {
    basename: posix.basename(place.path) || 'vault',
    problem: (path, message) => report.problem(textOf(path), message),
  })
  try {
    const parameters = { path: place.path, state, recursive }
    const result = (await receiveRecords(place, parameters, report, sink.take)) as ExportResult
    const { files, directories, bytes } = result
    printSummary(
      json === true,
      { ...result, path: dest, refused: sink.refused, problems: report.problems },
      `${dest}: ${files} files and ${directories} directories, ${formatBytes(bytes)}`,
      notesOf(sink.refused),
    )
  } finally {
    sink.end()
  }
}

/** Runs the method and hands over each record. */
async function receiveRecords(
  place: Place,
  parameters: { path: string; state: object | undefined; recursive: boolean },
  report: TransferReport,
  take: (record: Buffer) => Promise<void> | void,
): Promise<object> {
  return await callVault(
    place.vaultPath,
    'export',
    parameters,
    () => undefined,
    async (piece) => {
      if (!(piece instanceof Uint8Array)) {
        const { path, message } = piece.item as { path: string; message: string }
        report.problem(path, message)
        return
      }
      const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length)
      let names = 0
      for (const record of recordsIn(bytes)) {
        names++
        const taken = take(record)
        if (taken !== undefined) await taken
      }
      report.count(names, piece.length)
    },
  )
}

function notesOf({ owners, attributes, modes, times }: Refused): string[] {
  const notes: string[] = []
  if (owners > 0) notes.push(`${owners} belong to you now: only root may give files away`)
  if (attributes > 0)
    notes.push(`${attributes} are without some extended attributes, which were refused there`)
  if (modes > 0) notes.push(`${modes} are without their mode, which was refused there`)
  if (times > 0) notes.push(`${times} are without their times, which were refused there`)
  return notes
}

function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1')
}

function textOf(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString()
}
