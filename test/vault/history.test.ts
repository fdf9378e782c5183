// Random operations by seed, against a plain model that keeps a full copy of the tree at every
// observed moment: listings, attributes and content as of a moment, versions and deleted names, on
// both stores, and again after reopening. AVFS_SEED chooses the seed, AVFS_STEPS the length.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { birthBatch, openVault, Vault } from '../../src/vault/vault.ts'
import { testedBackends } from '../support/engines.ts'
import { compareAll, compareMoment } from './compare-history.ts'
import { HistoryRun } from './history-run.ts'

setLog('error')
const steps = Number(process.env.AVFS_STEPS ?? 900)
const baseSeed = Number(process.env.AVFS_SEED ?? Date.now() % 1_000_000)

async function runHistory(t: Test, vault: Vault, seed: number, steps: number): Promise<HistoryRun> {
  const run = await retryUntilLoaded(() => new HistoryRun(vault, seed))
  for (let step = 0; step < steps; step++) {
    try {
      await run.step()
      const [recent] = run.observed.slice(-1)
      const found =
        step % 50 === 0 && recent !== undefined
          ? await compareMoment(vault.core, run, recent)
          : undefined
      if (found === undefined) continue
      t.fail(`seed ${seed}: history differs after step ${step}`, { found })
    } catch (error) {
      t.fail(`step ${step} of seed ${seed} failed`, { cause: String((error as Error).stack) })
    }
    return run
  }
  t.equal(await compareAll(vault.core, run), undefined)
  return run
}

t.test('the history of a vault in memory is that of the plain model', async (t) => {
  t.comment(`seed ${baseSeed}`)
  const store = await openStore('memory', { create: true, backend: 'memory' })
  await store.commit(birthBatch())
  const vault = new Vault(store, '/tmp/none', { commitMs: 5, sealMs: 1e9 })
  const run = await runHistory(t, vault, baseSeed, steps)
  await vault.sync()
  run.noticeSeals()
  t.equal(await compareAll(vault.core, run), undefined, 'also when all of it is in the store')
  t.same((await vault.check({ deep: true })).problems, [])
  await vault.close()
})

for (const { name, suffix } of testedBackends)
  t.test(
    `the history of a vault on ${name} is that of the plain model, also after reopening`,
    async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'avfs-history-'))
      t.teardown(() => rmSync(folder, { recursive: true }))
      // The default engine is run longer.
      const rounds = name === 'sqlite' ? 2 : 1
      for (let round = 0; round < rounds; round++) {
        const seed = baseSeed + 1 + round
        t.comment(`seed ${seed}`)
        const path = join(folder, `v${round}${suffix}`)
        const store = await openStore(path, { create: true })
        await store.commit(birthBatch())
        // A small cache, so that rows are read back from the engine.
        const options = { cacheBytes: 400_000, commitMs: 5, sealMs: 1e9 }
        const opened = await retryUntilLoaded(() => new Vault(store, path, options))
        const run = await runHistory(t, opened, seed, steps / 3)
        await run.sealAll()
        t.same((await run.vault.check({ deep: true })).problems, [])
        await run.vault.close()
        const vault = await openVault(path)
        t.equal(await compareAll(vault.core, run), undefined)
        await vault.close()
      }
    },
  )
