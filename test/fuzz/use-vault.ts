// Everything that can be done with a vault of unknown content; each operation has to end, with an
// answer or a refusal.

import { isDirectory, isRegular, isSymlink } from '../../src/base/mode.ts'
import type { Call } from '../../src/control/methods/method.ts'
import { isMethodName, methods } from '../../src/control/methods/methods.ts'
import { createFileSystem, type FileSystem } from '../../src/fs/file-system.ts'
import type { Searcher } from '../../src/search/searcher.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { type Store, StoreError } from '../../src/store/store.ts'
import { checkStore } from '../../src/vault/check/check.ts'
import { repairStore } from '../../src/vault/check/repair.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { Vault } from '../../src/vault/vault.ts'
import { methodCall } from '../support/method-calls.ts'
import type { Random } from '../support/random.ts'
import { type Waiting, waiting } from '../support/waiting.ts'
import { caller } from '../vault/random-run.ts'
import { refusable } from './input.ts'

/** A walk ends after so many nodes: where there is a circle, there is no end. */
const NODES_MAX = 400
const LISTED_MAX = 100
/** What one method may hand over. */
const PIECES_BYTES_MAX = 64 * 1024 * 1024
const READ_BYTES = 1024 * 1024
/** They change something, and are called apart; what has no index here has nothing to search. */
const LEFT_OUT = new Set(['search', 'searchStatus', 'searchRebuild', 'backup'])

type Files = Waiting<FileSystem>

/** Does all of it and closes the store. Rejects with the first that is no refusal. */
export async function useStore(store: Store, path: string, random: Random): Promise<void> {
  await refusable(() => checkStore(store, { deep: random.below(2) === 0 }))
  const vault = await refusable(() =>
    retryUntilLoaded(() => new Vault(store, path, { commitMs: 1e9, sealMs: 1e9 })),
  )
  if (vault === undefined) {
    await refusable(() => repaired(store))
    return await store.close()
  }
  const fs = await refusable(() =>
    retryUntilLoaded(() => createFileSystem(vault, { readOnly: false, avfsdir: 'visible' })),
  )
  if (fs !== undefined) await walk(waiting(fs))
  await ask(vault, random)
  if (fs !== undefined) await change(waiting(fs), vault)
  await refusable(() => vault.sync())
  if (random.below(2) === 0) await refusable(() => repaired(store))
  await refusable(() => vault.close())
}

/** What repair leaves is what it says that it leaves. */
async function repaired(store: Store): Promise<void> {
  const { left } = await repairStore(store, { onStep: () => undefined })
  const { problems } = await checkStore(store, { deep: true })
  if (problems.length > left.problems.length)
    throw new Error(`repair left ${JSON.stringify(problems[0])}`)
}

/** Looks at everything that names lead to, the views of all directories among it. */
async function walk(fs: Files): Promise<void> {
  const seen = new Set<number>()
  const waiting = [ROOT_INO]
  for (let ino = waiting.pop(); ino !== undefined && seen.size < NODES_MAX; ino = waiting.pop()) {
    if (seen.has(ino)) continue
    seen.add(ino)
    const at = ino
    const node = await refusable(() => fs.getattr(caller, at))
    if (node === undefined) continue
    if (isDirectory(node.mode)) {
      for (const name of [...(await namesIn(fs, at)), '.avfs', 'now', '1h'])
        waiting.push((await refusable(() => fs.lookup(caller, at, name)))?.ino ?? ROOT_INO)
    } else await look(fs, at, node.mode, node.size)
  }
}

async function look(fs: Files, ino: number, mode: number, size: number): Promise<void> {
  if (isSymlink(mode)) await refusable(() => fs.readlink(caller, ino))
  if (isRegular(mode))
    for (const offset of [0, Math.floor(size / 2), Math.max(0, size - 10)]) {
      await refusable(() => fs.read(caller, ino, offset, READ_BYTES))
      await refusable(() => fs.lseek(caller, ino, offset, 3))
      await refusable(() => fs.lseek(caller, ino, offset, 4))
    }
  const names = (await refusable(() => fs.listxattr(caller, ino))) ?? []
  for (const name of names) await refusable(() => fs.getxattr(caller, ino, name, false))
}

async function namesIn(fs: Files, ino: number): Promise<string[]> {
  const names: string[] = []
  await refusable(async () => {
    const { handle } = await fs.opendir(caller, ino)
    await fs.readdir(caller, ino, handle, 0, true, (name) => {
      if (name !== '.' && name !== '..') names.push(name)
      return names.length < LISTED_MAX
    })
    await fs.releasedir(handle)
  })
  return names
}

/** Calls every method that only looks, of the root and of what is in it. */
async function ask(vault: Vault, random: Random): Promise<void> {
  for (const method of Object.keys(methods).filter(isMethodName)) {
    if (LEFT_OUT.has(method) || !methods[method].readOnly) continue
    const { parameters } = methodCall(method, 1)
    const path = random.pick(['/', '/n1', '/n2', '/n3'])
    await refusable<object>(() =>
      methods[method].run(
        vault,
        'path' in parameters ? { ...parameters, path } : parameters,
        callOf(),
      ),
    )
  }
  for (const history of [true, false])
    await refusable(() =>
      methods.export.run(vault, { path: '/', recursive: true, history }, callOf()),
    )
}

/** Writes to and removes what there is, and prunes. */
async function change(fs: Files, vault: Vault): Promise<void> {
  const names = await namesIn(fs, ROOT_INO)
  for (const name of names) {
    const node = await refusable(() => fs.lookup(caller, ROOT_INO, name))
    if (node === undefined) continue
    if (isRegular(node.mode)) {
      await refusable(() => fs.write(caller, node.ino, 5000, Buffer.from('more'), false, false))
      await refusable(() => fs.flush(caller, node.ino))
      await refusable(() => fs.rename(caller, ROOT_INO, name, ROOT_INO, `${name}.new`, 0))
    } else if (isDirectory(node.mode)) {
      await refusable(() => fs.create(caller, node.ino, 'made', 0o100644, 0, 0))
      await refusable(() => fs.rmdir(caller, ROOT_INO, name))
    } else await refusable(() => fs.unlink(caller, ROOT_INO, name))
  }
  await refusable(() => vault.sync())
  await refusable(() => methods.prune.run(vault, { keep: 1, explain: true }, callOf()))
}

function callOf(): Call {
  let bytes = 0
  return {
    report: () => undefined,
    send: (piece) => {
      bytes += piece instanceof Uint8Array ? piece.length : 100
      if (bytes > PIECES_BYTES_MAX) throw new StoreError('io', 'this has no end')
    },
    kernel: undefined,
    searcher: () => ({ status: async () => ({ watermark: 0 }) }) as unknown as Searcher,
    isGone: () => false,
    body: undefined,
  }
}
