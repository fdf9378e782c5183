// The indexer and a vault that changes at random: the index that grew with it equals one that is
// built anew, and the vault itself. AVFS_SEED repeats a run, AVFS_STEPS is its length.

import t, { type Test } from 'tap'
import { retryUntilLoaded } from '../../src/store/retry.ts'
import type { Store } from '../../src/store/store.ts'
import { sealAll } from '../../src/vault/content/seal.ts'
import { configure } from '../../src/vault/core/configuration.ts'
import { refreshHistory } from '../../src/vault/tree/history-recording.ts'
import type { Vault } from '../../src/vault/vault.ts'
import { faulting } from '../support/faulting.ts'
import { randomFrom, seedOf } from '../support/random.ts'
import { openMemory, Writing } from './indexed-run.ts'
import {
  alike,
  type Documents,
  indexerOf,
  present,
  type Recorder,
  rebuilt,
  recorder,
} from './indexed-vault.ts'

const seed = seedOf('AVFS_SEED')
const steps = Number(process.env.AVFS_STEPS ?? 600)
const WAIT_MS = 30_000

async function agree(t: Test, vault: Vault, engine: Recorder, what: string): Promise<void> {
  const documents = engine.documents()
  const { files, versions } = await present(vault.core)
  const pick = (from: Readonly<Record<string, string>>, of: object) =>
    Object.fromEntries(Object.keys(of).map((key) => [key, from[key]]))
  const expected = alike({ files, versions, texts: [], stray: [] }, documents)
  t.strictSame(pick(documents.files, files), files, `${what}: paths`)
  t.strictSame(pick(documents.versions, versions), expected.versions, `${what}: versions`)
}

/**
 * An index that is built anew is the same, but for the directories of files that are gone: where
 * one lay when the file was deleted may have been pruned since, and an index that grew has heard of
 * it.
 */
async function sameAsRebuilt(t: Test, vault: Vault, engine: Recorder): Promise<void> {
  const { files } = await present(vault.core)
  const comparable = (documents: Documents): Documents => ({
    ...documents,
    files: Object.fromEntries(
      Object.entries(documents.files).map(([ino, its]) => [
        ino,
        ino in files ? its : its.slice(0, its.indexOf(':')),
      ]),
    ),
  })
  const [grown, anew] = [comparable(engine.documents()), comparable(await rebuilt(vault.core))]
  t.strictSame(alike(grown, anew), alike(anew, grown))
}

const settings: readonly {
  name: string
  changes: Record<string, string>
  wrap?: (store: Store) => Store
}[] = [
  { name: 'with history', changes: {} },
  { name: 'without history', changes: { history: 'off' } },
  { name: 'with a part that has no history', changes: { 'history.exclude': 'n1,n2' } },
  {
    name: 'on a store that answers late',
    changes: {},
    wrap: (store) => faulting(store, { gets: true }),
  },
]

const runs = settings.flatMap((its) => [false, true].map((restarts) => ({ ...its, restarts })))

for (const { name, changes, wrap, restarts } of runs) {
  const what = `${name}${restarts ? ', with an indexer that ends now and then,' : ''}`
  t.test(`after random operations ${what} the index is as one built anew`, async (t) => {
    t.comment(`AVFS_SEED=${seed}`)
    const vault = await openMemory(wrap)
    await retryUntilLoaded(() => configure(vault.core, changes))
    await retryUntilLoaded(() => refreshHistory(vault.core))
    const engine = recorder()
    let indexer = indexerOf(vault.core, engine)
    const run = await retryUntilLoaded(() => new Writing(vault, seed))
    const { below } = randomFrom(seed)
    for (let step = 0; step < steps; step++) {
      await run.step()
      if (step % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
      if (below(100) === 0) {
        await vault.sync()
        t.ok(await indexer.caughtUp(WAIT_MS), `caught up at step ${step}`)
      }
      // As after a crash: nothing is known but what the index says of itself.
      if (restarts && below(100) === 0) {
        await indexer.close()
        indexer = indexerOf(vault.core, engine)
      }
      if (below(200) === 0) await vault.prune({ rules: { versions: 2 } })
    }
    await retryUntilLoaded(() => sealAll(vault.core))
    await vault.sync()
    t.ok(await indexer.caughtUp(WAIT_MS))
    await agree(t, vault, engine, name)
    // What was pruned while the indexer ended stays until it is swept.
    if (!restarts) await sameAsRebuilt(t, vault, engine)
    await indexer.close()
    indexer = indexerOf(vault.core, engine)
    await indexer.sweep()
    await agree(t, vault, engine, `${name}, swept`)
    await indexer.close()
    await sameAsRebuilt(t, vault, engine)
    t.ok(engine.documents().texts.length > 0, 'there are some texts')
    await vault.close()
  })
}
