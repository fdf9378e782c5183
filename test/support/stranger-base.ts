// A small vault with some of everything, and how a method is run on it, for tests of vaults from
// strangers.

import type { Call, Method } from '../../src/control/methods/method.ts'
import { methods } from '../../src/control/methods/methods.ts'
import type { Piece } from '../../src/control/wire/protocol.ts'
import { Searcher } from '../../src/search/searcher.ts'
import { openStore } from '../../src/store/open.ts'
import { copyStore } from '../../src/vault/transfer/copy-rows.ts'
import { createVault, openVault, type Vault } from '../../src/vault/vault.ts'
import { type MethodCall, making } from './method-calls.ts'

/** Runs a method on an open vault; resolves to how many pieces it sent. */
export async function callOn(
  vault: Vault,
  { method, parameters, body }: MethodCall,
  take: (piece: Piece) => Promise<void> | void = () => undefined,
): Promise<{ sent: number; bytes: number }> {
  let [sent, bytes] = [0, 0]
  const its: Method = methods[method]
  let searcher: Searcher | undefined
  const call: Call = {
    report: () => undefined,
    kernel: undefined,
    searcher() {
      searcher ??= Searcher.start(vault, false)
      return searcher
    },
    isGone: () => false,
    body: body === undefined ? undefined : piecesOf(body),
    async send(piece) {
      sent++
      if (piece instanceof Uint8Array) bytes += piece.length
      await take(piece)
    },
  }
  try {
    await its.run(vault, parameters, call)
  } finally {
    await searcher?.close()
  }
  return { sent, bytes }
}

async function* piecesOf(body: Buffer): AsyncGenerator<Buffer> {
  yield Buffer.from(body)
}

/** Makes the base at a path: two directories, fifty files, history, labels, a snapshot. */
export async function makeBase(path: string): Promise<void> {
  await createVault(path, 'sqlite')
  const vault = await openVault(path)
  for (const call of making.first) await callOn(vault, call)
  await new Promise((resolve) => setTimeout(resolve, 1100))
  for (const call of making.later) await callOn(vault, call)
  await vault.close()
}

/** The same rows in another engine. */
export async function copyTo(base: string, path: string, backend: string): Promise<void> {
  const from = await openStore(base, { readOnly: true })
  const to = await openStore(path, { create: true, backend })
  await copyStore(from, to, {
    damaged: ({ message }) => {
      throw new Error(message)
    },
  })
  await from.close()
  await to.close()
}
