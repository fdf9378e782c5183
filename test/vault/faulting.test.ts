// A vault on a store whose reads must wait ends in the same state as on one that answers at once:
// random operations, their history, and prune, with scans that wait, and with every read. An
// operation that had changed something before its read would throw (base/step.ts). AVFS_SEED
// chooses the seed, AVFS_STEPS the length.

import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { birthBatch, Vault, type VaultOptions } from '../../src/vault/vault.ts'
import { type FaultingStore, faulting } from '../support/faulting.ts'
import { compareAll } from './compare-history.ts'
import { describe, describePlain, difference } from './describe-tree.ts'
import { HistoryRun } from './history-run.ts'
import { lead } from './labelled-life.ts'
import { Run } from './random-run.ts'

const logged: string[] = []
setLog('error', (line) => logged.push(line))
const steps = Number(process.env.AVFS_STEPS ?? 1000)
const baseSeed = Number(process.env.AVFS_SEED ?? Date.now() % 1_000_000)
// Little memory, so that much is read again.
const small = { cacheBytes: 100_000, commitMs: 5 }

async function openFaulting(
  gets: boolean,
  options: VaultOptions = small,
): Promise<{ store: FaultingStore; vault: Vault }> {
  const inner = await openStore('memory', { create: true, backend: 'memory' })
  await inner.commit(birthBatch())
  const store = faulting(inner, { gets })
  return { store, vault: await retryUntilLoaded(() => new Vault(store, '/tmp/none', options)) }
}

/** Closes the vault after it proved sound, and nothing was logged as an error. */
async function end(t: Test, vault: Vault, store: FaultingStore): Promise<void> {
  await vault.sync()
  t.same((await vault.check({ deep: true })).problems, [])
  t.ok(store.faults > 0, `${store.faults} reads had to wait`)
  t.same(logged.splice(0), [])
  await vault.close()
}

for (const gets of [false, true]) {
  const what = gets ? 'every read waits' : 'scans wait'

  t.test(`random operations match the plain model where ${what}`, async (t) => {
    t.comment(`seed ${baseSeed}`)
    const { store, vault } = await openFaulting(gets)
    const run = await retryUntilLoaded(() => new Run(vault, baseSeed))
    for (let step = 0; step < steps; step++) {
      try {
        await run.step()
      } catch (error) {
        t.fail(`step ${step} of seed ${baseSeed} failed`, { cause: String((error as Error).stack) })
        return
      }
      // Commits go on between operations, as they do between requests.
      if (step % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    const found = await describe(run.fs, ROOT_INO)
    t.equal(difference(found, describePlain(run.root)), undefined)
    await end(t, vault, store)
  })

  t.test(`history is that of the plain model where ${what}`, async (t) => {
    t.comment(`seed ${baseSeed}`)
    const { store, vault } = await openFaulting(gets, { ...small, sealMs: 1e9 })
    const run = await retryUntilLoaded(() => new HistoryRun(vault, baseSeed))
    for (let step = 0; step < steps / 2; step++) {
      try {
        await run.step()
      } catch (error) {
        t.fail(`step ${step} of seed ${baseSeed} failed`, { cause: String((error as Error).stack) })
        return
      }
    }
    t.equal(await compareAll(vault.core, run), undefined)
    await run.sealAll()
    await end(t, vault, store)
  })
}

t.test('labels, views, restore, prune and settings do the same where reads wait', async (t) => {
  const plain = await openStore('memory', { create: true, backend: 'memory' })
  await plain.commit(birthBatch())
  const reference = new Vault(plain, '/tmp/none', { commitMs: 60_000 })
  const wanted = await lead(reference)
  await reference.close()
  for (const gets of [false, true]) {
    const { store, vault } = await openFaulting(gets, { ...small, commitMs: 60_000 })
    t.same(await lead(vault), wanted)
    await end(t, vault, store)
  }
})
