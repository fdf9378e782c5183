// Opens the engine of an index, in the search thread. The only file that names both.

import type { Auxiliary } from '../store/store.ts'
import type { SearchEngine } from './engine.ts'
import type { EngineSpec } from './thread-protocol.ts'

/** `run` writes into the file of a vault on SQLite. Rejects with StoreError. */
export async function openEngine(spec: EngineSpec, run: Auxiliary['run']): Promise<SearchEngine> {
  if (spec.kind === 'fts5') {
    const { openFts5 } = await import('./fts5.ts')
    return openFts5(spec.path, run, spec)
  }
  const { openTantivy } = await import('./tantivy.ts')
  return await openTantivy(spec.folder, spec.readOnly ? { readOnly: true } : { create: true })
}
