// Where `avfs import` takes files from: the host, a tar archive, a git repository; and whether that
// makes sense with its target.

import { createReadStream } from 'node:fs'
import { dirname, posix } from 'node:path'
import { readGit } from '../archive/git-source.ts'
import { nodeAt, readHost, type Sink, type SourceOptions } from '../archive/host-source.ts'
import { readTar } from '../archive/tar-source.ts'
import { CompressionError, unpacked } from '../archive/unpacked.ts'
import { findPlace, type Place } from '../control/vaults/place.ts'
import { absoluteBytes } from '../control/wire/byte-strings.ts'
import { bytesOfArgument } from './arguments.ts'
import { UsageError } from './errors.ts'
import type { TransferReport } from './transfer-report.ts'

/**
 * Something to import. `read` resolves to sentences for the summary, and rejects with ArchiveError
 * for what ends in the middle: what came before was sent.
 */
export interface ImportSource {
  /** What a file is called that goes into an existing directory; a byte string. */
  readonly basename: string
  read(send: Sink): Promise<readonly string[]>
}

function optionsOf(report: TransferReport): Pick<SourceOptions, 'problem' | 'read'> {
  return {
    problem: (path, message) => report.problem(Buffer.from(path, 'latin1').toString(), message),
    read: report.count,
  }
}

/** A file or folder of the host. Throws UsageError for one that holds the place it is to go to. */
export async function hostSource(
  argument: string,
  place: Place,
  report: TransferReport,
): Promise<ImportSource> {
  const path = absoluteBytes(bytesOfArgument(argument))
  await assertApart(path, place)
  const options = { ...optionsOf(report), guarded: guardedOf(place) }
  return {
    basename: posix.basename(path) || 'root',
    async read(send) {
      await readHost(path, send, options)
      return []
    },
  }
}

/** A tar archive, compressed by gzip or zstd or not; '-' is standard input. */
export function tarSource(argument: string, report: TransferReport): ImportSource {
  const path = Buffer.from(bytesOfArgument(argument), 'latin1')
  return {
    basename: posix.basename(bytesOfArgument(argument)),
    async read(send) {
      const input = argument === '-' ? process.stdin : createReadStream(path)
      const plain = await unpacked(input).catch((error: unknown) => {
        throw error instanceof CompressionError ? unpackFirst(error, argument) : error
      })
      await readTar(plain, async (piece) => await send(piece), optionsOf(report))
      return []
    },
  }
}

/** The history of a git repository. */
export function gitSource(repository: string, report: TransferReport): ImportSource {
  return {
    basename: posix.basename(repository),
    async read(send) {
      const options = optionsOf(report)
      const result = await readGit(repository, async (piece) => await send(piece), options)
      const notes = [`${result.commits} commits, ${result.snapshots} tags as snapshots`]
      if (result.tagsLeftOut > 0)
        notes.push(`${result.tagsLeftOut} tags are not on the line of first parents: left out`)
      return notes
    },
  }
}

function unpackFirst({ compression, program }: CompressionError, argument: string): UsageError {
  const from = argument === '-' ? '...' : argument
  return new UsageError(
    `this is compressed by ${compression}, and only gzip and zstd are read: ${program} ${from} | avfs import - DEST --format tar`,
  )
}

/** The files of the vault itself, should they lie in what is imported. */
function guardedOf({ vaultPath }: Place): { key: string; prefix: string } | undefined {
  const directory = nodeAt(Buffer.from(dirname(vaultPath)).toString('latin1'))
  if (typeof directory === 'number') return undefined
  const prefix = posix.basename(Buffer.from(vaultPath).toString('latin1'))
  return { key: directory.toString('latin1', 72, 88), prefix }
}

/**
 * Throws UsageError when a directory of a mounted vault is to go into itself: that would never end.
 */
async function assertApart(source: string, place: Place): Promise<void> {
  const from = await findPlace(source).catch(() => undefined)
  if (from?.vaultPath !== place.vaultPath) return
  const above = from.path === '/' ? '/' : `${from.path}/`
  if (place.path === from.path || place.path.startsWith(above))
    throw new UsageError('a directory cannot be imported into itself')
}
