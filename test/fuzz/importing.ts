// What the fuzzers of archives share: records are imported into a new vault beside an existing
// file, as `avfs import` does. Afterwards the vault is sound and nothing outside of the destination
// has changed.

import type { SourceOptions } from '../../src/archive/host-source.ts'
import type { Call } from '../../src/control/methods/method.ts'
import { methods } from '../../src/control/methods/methods.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { openMemory } from '../../src/store/memory.ts'
import { configure } from '../../src/vault/core/configuration.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { caller } from '../vault/random-run.ts'
import { isMistake, refusable } from './input.ts'

type Read = (
  send: (piece: Buffer) => Promise<void>,
  options: Pick<SourceOptions, 'problem' | 'read'>,
) => Promise<unknown>

/** What one input may become at most; what is more is not sent on. */
const PIECES_BYTES_MAX = 64 * 1024 * 1024
const KEPT = 'what was there before\n'

/**
 * Imports what a source reads. Rejects where the source, the import or the vault is not as it must
 * be.
 */
export async function importAll(read: Read): Promise<void> {
  const store = openMemory()
  await store.commit(birthBatch())
  const vault = new Vault(store, '/', { commitMs: 1e9, sealMs: 1e9 })
  configure(vault.core, { search: 'off' })
  const fs = createFileSystem(vault, { readOnly: false })
  const kept = fs.create(caller, ROOT_INO, 'kept', 0o100644, 0, 0)
  fs.write(caller, kept.ino, 0, Buffer.from(KEPT), false, false)
  fs.flush(caller, kept.ino)
  fs.mkdir(caller, ROOT_INO, 'into', 0o755, 0)
  const said: string[] = []
  const pieces: Buffer[] = []
  let bytes = 0
  const send = async (piece: Buffer): Promise<void> => {
    bytes += piece.length
    // Its memory is used again.
    if (bytes <= PIECES_BYTES_MAX) pieces.push(Buffer.from(piece))
  }
  const problem = (path: string, message: string): void => void said.push(`${path}: ${message}`)
  await refusable(() => read(send, { problem, read: () => undefined }))
  await refusable(() =>
    methods.import.run(vault, { path: '/into', basename: 'x' }, callOf(pieces, said)),
  )
  const wrong = said.find(isMistake)
  if (wrong !== undefined) throw new Error(wrong)
  await vault.sync()
  const { problems } = await vault.check({ deep: true })
  if (problems.length > 0) throw new Error(JSON.stringify(problems.slice(0, 3)))
  const names: string[] = []
  const { handle } = fs.opendir(caller, ROOT_INO)
  fs.readdir(caller, ROOT_INO, handle, 0, false, (name) => {
    names.push(name)
    return true
  })
  const text = Buffer.concat(fs.read(caller, kept.ino, 0, 1000)).toString()
  if (`${names.sort()}` !== '.,..,into,kept' || text !== KEPT || kept.nlink !== 1)
    throw new Error(`the root has ${names}, and kept has ${text}`)
  await vault.close()
}

function callOf(pieces: readonly Buffer[], said: string[]): Call {
  return {
    report: () => undefined,
    send: (piece) => void ('item' in piece && said.push(JSON.stringify(piece.item))),
    kernel: undefined,
    searcher: () => {
      throw new Error('nothing is searched for')
    },
    isGone: () => false,
    body: (async function* () {
      yield* pieces
    })(),
  }
}

/** Bytes in pieces of some length. */
export async function* inPieces(bytes: Buffer, length: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
}
