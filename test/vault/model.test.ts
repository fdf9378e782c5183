// Random operations by seed, on a plain model and on a vault through src/fs: after each stretch of
// operations both trees are the same, at the end the vault checks clean, and after reopening it is
// the same again. AVFS_SEED chooses the seed, AVFS_STEPS the length.

import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { setLog } from '../../src/base/log.ts'
import { createFileSystem } from '../../src/fs/file-system.ts'
import { openStore } from '../../src/store/open.ts'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import { ROOT_INO } from '../../src/vault/core/inode.ts'
import { birthBatch, openVault, Vault } from '../../src/vault/vault.ts'
import { testedBackends } from '../support/engines.ts'
import { waiting } from '../support/waiting.ts'
import { describe, describePlain, difference } from './describe-tree.ts'
import { Run } from './random-run.ts'

setLog('error')
const steps = Number(process.env.AVFS_STEPS ?? 1500)
const baseSeed = Number(process.env.AVFS_SEED ?? Date.now() % 1_000_000)

async function runModel(t: Test, vault: Vault, seed: number): Promise<Run> {
  const run = await retryUntilLoaded(() => new Run(vault, seed))
  for (let step = 0; step < steps; step++) {
    try {
      await run.step()
    } catch (error) {
      t.fail(`step ${step} of seed ${seed} failed`, { cause: String((error as Error).stack) })
      return run
    }
    if (step % 250 === 0) {
      const found = difference(await describe(run.fs, ROOT_INO), describePlain(run.root))
      if (found !== undefined) {
        t.fail(`seed ${seed}: the trees differ after step ${step}`, { found })
        return run
      }
    }
  }
  t.equal(difference(await describe(run.fs, ROOT_INO), describePlain(run.root)), undefined)
  return run
}

t.test('random operations on a vault in memory match the plain model', async (t) => {
  t.comment(`seed ${baseSeed}`)
  const store = await openStore('memory', { create: true, backend: 'memory' })
  await store.commit(birthBatch())
  const vault = new Vault(store, '/tmp/none', { commitMs: 5 })
  await runModel(t, vault, baseSeed)
  await vault.sync()
  const report = await vault.check({ deep: true })
  t.same(report.problems, [])
  await vault.close()
})

/** What the tree of each engine is in the end: all start from one seed. */
const digests = new Map<string, string>()

for (const { name, suffix } of testedBackends)
  t.test(`random operations on ${name} match the plain model, also after reopening`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'avfs-model-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    // The default engine is run longer.
    const rounds = name === 'sqlite' ? 3 : 1
    for (let round = 0; round < rounds; round++) {
      const seed = baseSeed + 1 + round
      t.comment(`seed ${seed}`)
      const path = join(folder, `v${round}${suffix}`)
      const store = await openStore(path, { create: true })
      await store.commit(birthBatch())
      // A small cache, so that rows are read back from the engine.
      const options = { cacheBytes: 400_000, commitMs: 5 }
      const opened = await retryUntilLoaded(() => new Vault(store, path, options))
      const run = await runModel(t, opened, seed)
      const report = await run.vault.check({ deep: true })
      t.same(report.problems, [])
      await run.vault.close()
      const vault = await openVault(path)
      const fs = await retryUntilLoaded(() => createFileSystem(vault, { readOnly: false }))
      const tree = await describe(waiting(fs), ROOT_INO)
      t.equal(difference(tree, describePlain(run.root)), undefined)
      if (round === 0) digests.set(name, createHash('sha256').update(tree.join('\n')).digest('hex'))
      await vault.close()
    }
  })

t.test('one seed ends in one tree on all engines', async (t) => {
  t.equal(digests.size, testedBackends.length)
  t.equal(new Set(digests.values()).size, 1, JSON.stringify([...digests]))
})
