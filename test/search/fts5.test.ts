// The index inside a vault on SQLite under the suite of all search engines, and tests of its own.

import { existsSync } from 'node:fs'
import t from 'tap'
import type { SearchEngine } from '../../src/search/engine.ts'
import { openFts5 } from '../../src/search/fts5.ts'
import { openStore } from '../../src/store/open.ts'
import { searchEngineSuite } from './suite.ts'

/** The index of a vault of its own, which is closed with it. */
async function openWithVault(path: string): Promise<SearchEngine> {
  const store = await openStore(path, { create: !existsSync(path), backend: 'sqlite' })
  if (store.auxiliary === undefined) throw new Error('the store takes no other tables')
  const engine = openFts5(path, store.auxiliary.run)
  const close = engine.close.bind(engine)
  engine.close = async () => {
    await close()
    await store.close()
  }
  return engine
}

searchEngineSuite(t, 'fts5', openWithVault)
