// Where `avfs export` puts what it gets: files of the host, a tar archive, an SQLite archive. One
// shape for all.

import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { posix } from 'node:path'
import { hostSink, type Refused } from '../archive/host-sink.ts'
import { sqlarSink } from '../archive/sqlar-sink.ts'
import { tarSink } from '../archive/tar-sink.ts'
import type { Place } from '../control/vaults/place.ts'
import { absoluteBytes, toText } from '../control/wire/byte-strings.ts'
import { ControlError } from '../control/wire/errors.ts'
import { bytesOfArgument } from './arguments.ts'
import { assertNoVault, newArchive } from './export-destination.ts'
import { ReaderGone, writeBytes } from './output.ts'
import type { TransferReport } from './transfer-report.ts'

export type ExportFormat = 'dir' | 'tar' | 'sqlar'

export interface ExportTarget {
  take(record: Buffer): Promise<void> | void
  /** Called after the last record. Resolves to what the summary says beside the counts. */
  finish(): Promise<Outcome> | Outcome
  /** Must be called in the end; an archive that was not finished is removed. */
  end(): Promise<void> | void
}

interface Outcome {
  readonly values: object
  readonly notes: readonly string[]
}

const NOTHING: Outcome = { values: {}, notes: [] }

interface TargetOptions {
  readonly dest: string
  readonly format: ExportFormat
  /** Whether holes stay holes in a tar. */
  readonly holes: boolean
}

/**
 * Opens what the arguments of the command name. Throws ControlError for what an export does not
 * replace, and the system's error.
 */
export async function openTarget(
  { dest, format, holes }: TargetOptions,
  place: Place,
  report: TransferReport,
): Promise<ExportTarget> {
  const top = posix.basename(place.path)
  const problem = (where: string, message: string): void => report.problem(toText(where), message)
  const rootName = top === '' ? '.' : top
  if (dest === '-') return tarTarget(undefined, rootName, problem, holes)
  const path = absoluteBytes(bytesOfArgument(dest))
  assertNoVault(path, place.vaultPath)
  if (format === 'dir') return hostTarget(path, place, problem)
  if (format === 'sqlar') return sqlarTarget(path, top, problem)
  return tarTarget(path, rootName, problem, holes)
}

type Problem = (path: string, message: string) => void

function hostTarget(path: string, place: Place, problem: Problem): ExportTarget {
  const basename = posix.basename(place.path) || 'vault'
  const sink = hostSink(path, { basename, problem })
  return {
    take: sink.take,
    finish: () => ({ values: { refused: sink.refused }, notes: notesOf(sink.refused) }),
    end: sink.end,
  }
}

function notesOf({ owners, attributes, modes, times }: Refused): string[] {
  const notes: string[] = []
  if (owners > 0) notes.push(`${owners} belong to you now: only root may give files away`)
  if (attributes > 0) notes.push(`${attributes} are without extended attributes refused there`)
  if (modes > 0) notes.push(`${modes} are without their mode, which was refused there`)
  if (times > 0) notes.push(`${times} are without their times, which were refused there`)
  return notes
}

function tarTarget(
  path: string | undefined,
  top: string,
  problem: Problem,
  holes: boolean,
): ExportTarget {
  const archive = path === undefined ? undefined : newArchive(path)
  const fd = archive === undefined ? undefined : openSync(bytesOf(archive.path), 'w')
  const write = async (bytes: Buffer): Promise<void> => {
    if (fd === undefined) await writeWhole(bytes)
    else for (let offset = 0; offset < bytes.length; ) offset += writeSync(fd, bytes, offset)
  }
  const sink = tarSink(top, write, problem, holes)
  return {
    take: sink.take,
    async finish() {
      await sink.finish()
      if (fd !== undefined && archive?.isStream === false) fsyncSync(fd)
      archive?.keep()
      return NOTHING
    },
    end() {
      if (fd !== undefined) closeSync(fd)
      archive?.drop()
    },
  }
}

/** An archive whose reader has gone is incomplete: the command must fail. */
async function writeWhole(bytes: Buffer): Promise<void> {
  try {
    await writeBytes(bytes)
  } catch (error) {
    if (!(error instanceof ReaderGone)) throw error
    throw new ControlError('failed', 'whoever read the archive has gone before its end')
  }
}

function sqlarTarget(path: string, top: string, problem: Problem): ExportTarget {
  const archive = newArchive(path)
  if (archive.isStream)
    throw new ControlError('failed', `${toText(path)} is no file, which an sqlar is`, toText(path))
  const sink = sqlarSink(toText(archive.path), top, problem)
  return {
    take: sink.take,
    finish() {
      sink.finish()
      archive.keep()
      const left = 'an sqlar has no owners, extended attributes, holes or parts of seconds'
      return { values: {}, notes: [left] }
    },
    end() {
      sink.end()
      archive.drop()
    },
  }
}

function bytesOf(path: string): Buffer {
  return Buffer.from(path, 'latin1')
}
