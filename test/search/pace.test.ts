// How the indexer shares the time with requests.

import t from 'tap'
import { Pace } from '../../src/search/pace.ts'
import { openStore } from '../../src/store/open.ts'
import { birthBatch, Vault } from '../../src/vault/vault.ts'

t.test('what a thread did while the indexer rested is rested for, too', async (t) => {
  const store = await openStore('memory', { create: true, backend: 'memory' })
  await store.commit(birthBatch())
  const vault = new Vault(store, '/tmp/none', { cacheBytes: 1_000_000, commitMs: 1000 })
  const pace = new Pace(vault.core, () => false)
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
