// Searches the raw bytes of a vault's files on disk for samples of what should be gone.

import { lstatSync, readdirSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { filesOf } from '../vaults/vault-files.ts'
import { systemCode } from '../wire/errors.ts'

const PIECE_BYTES = 4 * 1024 * 1024

/** The first occurrence of a sample. */
export interface Trace {
  readonly sample: Uint8Array
  readonly file: string
  readonly offset: number
}

/** `bytes` is the number of bytes searched. */
export interface Search {
  readonly bytes: number
  readonly traces: readonly Trace[]
}

/** The vault may be open meanwhile. */
export async function findTraces(
  vaultPath: string,
  samples: readonly Uint8Array[],
  progress: (bytes: number) => void,
): Promise<Search> {
  const traces = new Map<Uint8Array, Trace>()
  let bytes = 0
  for (const file of filesOf(vaultPath).flatMap((path) => [...plainFiles(path)])) {
    const handle = await opened(file)
    if (handle === undefined) continue
    try {
      for await (const { piece, at } of piecesOf(handle, samples)) {
        for (const sample of samples) {
          const offset = traces.has(sample) ? -1 : piece.indexOf(sample)
          if (offset >= 0) traces.set(sample, { sample, file, offset: at + offset })
        }
        progress(bytes + at + piece.length)
      }
      bytes += (await handle.stat()).size
    } finally {
      await handle.close()
    }
  }
  return { bytes, traces: [...traces.values()] }
}

function* plainFiles(path: string): Generator<string> {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat?.isDirectory() === true)
    for (const name of readdirSync(path)) yield* plainFiles(join(path, name))
  else if (stat?.isFile() === true) yield path
}

/** Engines remove files of their own at any time. */
async function opened(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, 'r')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Each piece begins with the end of the one before, since a sample may span both. */
async function* piecesOf(
  handle: FileHandle,
  samples: readonly Uint8Array[],
): AsyncGenerator<{ piece: Buffer; at: number }> {
  const overlap = Math.max(1, ...samples.map(({ length }) => length)) - 1
  const buffer = Buffer.alloc(overlap + PIECE_BYTES)
  let kept = 0
  for (let at = 0; ; ) {
    const { bytesRead } = await handle.read(buffer, kept, PIECE_BYTES, at)
    if (bytesRead === 0) return
    yield { piece: buffer.subarray(0, kept + bytesRead), at: at - kept }
    at += bytesRead
    const next = Math.min(overlap, kept + bytesRead)
    buffer.copyWithin(0, kept + bytesRead - next, kept + bytesRead)
    kept = next
  }
}
