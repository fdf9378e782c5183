// How the indexer shares processor time with requests.

import t from 'tap'
import { Throttle } from '../../src/search/throttle.ts'
import { openStore } from '../../src/store/open.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'

async function newVault(): Promise<Vault> {
  const store = await openStore('memory', { create: true, backend: 'memory' })
  await store.commit(birthBatch())
  return new Vault(store, '/tmp/none', { cacheBytes: 1_000_000, commitMs: 1000 })
}

t.test('what passes before work begins is no slice of it', async (t) => {
  const vault = await newVault()
  const pace = new Throttle(vault.core, () => false)
  const from = performance.now()
  while (performance.now() < from + 300);
  pace.begin()
  await pace.waitFor(Promise.resolve())
  t.ok(vault.core.longestSliceMs < 300)
  await vault.close()
})

t.test('what a thread did while the indexer rested is rested for, too', async (t) => {
  const vault = await newVault()
  const pace = new Throttle(vault.core, () => false)
  pace.charge(10)
  const rest = pace.turn()
  t.ok(rest, 'it rests for what was charged')
  pace.charge(10)
  await rest
  const next = pace.turn()
  t.ok(next, 'and again for what was charged meanwhile')
  await next
  await vault.close()
})
