// Walks through a tree on a store whose reads must wait, in the present and in the past: each entry
// is found once and whole. AVFS_SEED chooses the seed.

import t from 'tap'
import { setLog } from '../../src/base/log.ts'
import { isDirectory, isRegular } from '../../src/base/mode.ts'
import type { Parameters } from '../../src/control/methods/method.ts'
import type { FoundEntry, MethodName, Stretch } from '../../src/control/methods/method-types.ts'
import { methods } from '../../src/control/methods/methods.ts'
import { Searcher } from '../../src/search/searcher.ts'
import { openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { stateAt, stateNow, type TreeState } from '../../src/vault/history/tree-state.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'
import { type FaultingStore, faulting } from '../support/faulting.ts'
import { HistoryRun } from './history-run.ts'

setLog('error')
const seed = Number(process.env.AVFS_SEED ?? Date.now() % 1_000_000)

async function openFaulting(): Promise<{ store: FaultingStore; vault: Vault }> {
  const inner = await openStore('memory', { create: true, backend: 'memory' })
  await inner.commit(birthBatch())
  const store = faulting(inner, { gets: true })
  const options = { cacheBytes: 100_000, commitMs: 5, sealMs: 1e9 }
  return { store, vault: await retryUntilLoaded(() => new Vault(store, '/tmp/none', options)) }
}

/** Items with the bytes that follow them. */
async function run(
  vault: Vault,
  method: MethodName,
  parameters: Parameters,
): Promise<{ item: object; bytes: Buffer }[]> {
  const found: { item: object; bytes: Buffer }[] = []
  await methods[method].run(vault, parameters, {
    report: () => undefined,
    send(piece) {
      const last = found.at(-1)
      if ('item' in piece) found.push({ item: piece.item, bytes: Buffer.alloc(0) })
      else if (last !== undefined) last.bytes = Buffer.concat([last.bytes, piece])
    },
    kernel: undefined,
    isGone: () => false,
    body: undefined,
    searcher: () => Searcher.start(vault, false),
  })
  return found
}

/** Paths in order, and the content of files: read step by step, without a walk. */
function plainly(state: TreeState): { paths: string[]; files: Map<string, string> } {
  const paths: string[] = []
  const files = new Map<string, string>()
  const visit = (ino: number, path: string): void => {
    const row = state.inode(ino)
    if (row === undefined) return
    paths.push(path)
    if (isRegular(row.mode))
      files.set(path, Buffer.concat(state.read(row, 0, row.size) as Uint8Array[]).toString('hex'))
    if (!isDirectory(row.mode)) return
    for (const { name, ino: below } of state.entries(ino, undefined, 1e9))
      visit(below, path === '' ? name : `${path}/${name}`)
  }
  visit(ROOT_INO, '')
  return { paths, files }
}

t.test('a walk meets each thing once, and its content whole', async (t) => {
  t.comment(`seed ${seed}`)
  const { store, vault } = await openFaulting()
  const life = await retryUntilLoaded(() => new HistoryRun(vault, seed))
  for (let step = 0; step < 150; step++) await life.step()
  const then = vault.core.moments.last
  vault.core.moments.observe()
  for (let step = 0; step < 150; step++) await life.step()
  const states = [
    { state: stateNow(vault.core), wanted: {} },
    { state: stateAt(vault.core, then), wanted: { when: { wall: then, nth: 1 } } },
  ]
  for (const { state, wanted } of states) {
    const { paths, files } = store.calm(() => plainly(state))
    const parameters = { path: '/', state: wanted }
    const before = store.faults
    const listed = await run(vault, 'find', parameters)
    const entries = listed.flatMap(({ item }) => (item as { entries: FoundEntry[] }).entries)
    t.same(
      entries.map(({ path }) => path),
      paths,
    )
    const contents = new Map<string, string>()
    for (const { item, bytes } of await run(vault, 'contents', parameters)) {
      let at = 0
      for (const { path, bytes: length } of (item as { stretches: Stretch[] }).stretches) {
        const piece = bytes.subarray(at, at + length).toString('hex')
        contents.set(path, (contents.get(path) ?? '') + piece)
        at += length
      }
      t.equal(at, bytes.length)
    }
    t.same([...contents], [...files])
    t.ok(paths.length > 5, `${paths.length} paths`)
    t.ok(store.faults > before, `${store.faults - before} reads had to wait`)
  }
  await retryUntilLoaded(() => life.sealAll())
  await vault.close()
})
